# prefloop with everything it needs, the embedded Argilla included. CPU by default:
#
#   docker build -t prefloop --build-arg TORCH_INDEX=<package index of torch's CPU builds> .
#   docker run --rm -v prefloop:/home/prefloop/.prefloop -v "$PWD/runs:/home/prefloop/runs" prefloop demo
#   docker run --rm -p 6900:6900 -v prefloop:/home/prefloop/.prefloop prefloop server start
#
# On a GPU, a CUDA base and PyPI's torch:  --build-arg BASE=nvidia/cuda:<version>-runtime-ubuntu24.04, then docker run --gpus all.
# docs/docker.md has the rest, and says what of this has never been run.
ARG BASE=python:3.11-slim
FROM ${BASE}

# Without TORCH_INDEX, PyPI's torch for Linux comes with several GB of CUDA libraries.
ARG TORCH_INDEX=""

COPY . /opt/prefloop/source
RUN /opt/prefloop/source/docker/install.sh /opt/prefloop

ENV PATH=/opt/prefloop/venv/bin:$PATH \
    PREFLOOP_HOME=/home/prefloop/.prefloop \
    PREFLOOP_BUILT=/opt/prefloop/home \
    HF_HOME=/home/prefloop/.prefloop/huggingface \
    HF_HUB_DISABLE_TELEMETRY=1

RUN useradd --create-home --user-group prefloop \
    && install -d -o prefloop -g prefloop /home/prefloop/.prefloop /home/prefloop/runs
USER prefloop
WORKDIR /home/prefloop
VOLUME ["/home/prefloop/.prefloop", "/home/prefloop/runs"]
EXPOSE 6900
ENTRYPOINT ["/opt/prefloop/source/docker/entrypoint.sh"]
CMD ["--help"]
