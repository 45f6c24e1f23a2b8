"""Training the lifting networks; needs torch, numpy, safetensors, rich and TensorBoard only."""
