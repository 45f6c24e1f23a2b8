"""Drawing into RGB images: meshes and skeletons."""
