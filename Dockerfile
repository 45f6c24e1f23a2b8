# CPU:   docker build --tag anylift .
# CUDA:  docker build --tag anylift:cuda --build-arg TORCH_INDEX= .
#
#        docker run --rm --volume "$PWD:/data" --user "$(id -u):$(id -g)" anylift run video.mp4 --out motion.npz
#        docker run --rm --gpus all … anylift:cuda run video.mp4 --out motion.npz --device cuda
FROM python:3.12-slim-bookworm

# PyPI's torch brings CUDA with it, and needs of the host the driver only; the index here has the small CPU build.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

WORKDIR /opt/anylift
COPY . .
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url ${TORCH_INDEX}} --constraint constraints.txt \
        '.[dataset,usd]' \
    && pip uninstall --yes opencv-contrib-python \
    && pip install --no-cache-dir --no-deps \
        "$(sed -n 's/^opencv-contrib-python==/opencv-contrib-python-headless==/p' constraints.txt)" \
    && anylift doctor

ENV HOME=/tmp NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /data
ENTRYPOINT ["anylift"]
CMD ["--help"]
