# Dovetail's image: the worker, its command line, and the simulated systems for docker compose.
#   docker build -t dovetail . && docker run --rm dovetail --help
# The same Python that the tests run on.
FROM python:3.11.14-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/dovetail
WORKDIR /src

# The dependencies first: they change less often than the code, and their layer is kept.
COPY requirements-runtime.lock ./
RUN /opt/dovetail/bin/pip install --require-hashes --only-binary :all: -r requirements-runtime.lock

COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY streams streams
COPY tables tables
RUN /opt/dovetail/bin/pip install --no-deps --no-build-isolation --no-index .


FROM python:3.11.14-slim-bookworm

# A number, so that Kubernetes can tell that it is not root (k8s/base/statefulset.yaml).
RUN groupadd --gid 10001 dovetail \
 && useradd --uid 10001 --gid dovetail --no-create-home --shell /usr/sbin/nologin dovetail \
 && install --directory --owner dovetail --group dovetail /var/lib/dovetail
COPY --from=build /opt/dovetail /opt/dovetail

ENV PATH=/opt/dovetail/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DOVETAIL_DATA_DIRECTORY=/var/lib/dovetail \
    DOVETAIL_HTTP_HOST=0.0.0.0 \
    DOVETAIL_HTTP_PORT=8080
USER 10001:10001
WORKDIR /var/lib/dovetail
VOLUME /var/lib/dovetail
EXPOSE 8080
ENTRYPOINT ["dovetail"]
CMD ["worker"]
