# Commands and page on processors (docs/serving.md):
#   docker build --tag ifcn-tf .
#   docker run --rm --volume "$PWD:/work" --user "$(id -u):$(id -g)" ifcn-tf propose photo.jpg
# Training on NVIDIA GPUs:
#   docker build --target training --tag ifcn-tf-training .
# Building asks the registries of images and of Python packages, nothing else.
FROM python:3.11-slim AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir=/wheels .

FROM python:3.11-slim AS base
# Nobody needs to be root, nor to be known to the container: --user takes any number.
RUN useradd --uid=1000 ifcn && mkdir /work && chown ifcn /work
ENV HOME=/tmp
WORKDIR /work
ENTRYPOINT ["ifcn-tf"]
CMD ["--help"]

FROM base AS training
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir "$(echo /wheels/ifcn_tf-*.whl)[gpu,fast]"
USER ifcn

FROM base AS page
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir "$(echo /wheels/ifcn_tf-*.whl)[web,serving,polygons]"
USER ifcn
