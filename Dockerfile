# The worker image (what pipelines run in) and the program itself.
#
#   docker build --target worker -t fastflow-worker:3.11 .
#   docker build --target app -t fastflow .
#
# The worker target copies nothing from this folder: `fastflow setup` builds it from this file alone. No BuildKit is
# needed for it.

FROM python:3.11-slim-bookworm AS worker
ARG PIP_INDEX_URL
RUN pip install --no-cache-dir uv \
    && ln -sf /usr/local/bin/python3 /usr/bin/python3 \
    && useradd --uid 1001 --user-group --create-home worker \
    && mkdir -p /app
ENV HOME=/home/worker LANG=C.UTF-8
USER 1001:1001
WORKDIR /app
CMD ["python3"]

FROM python:3.11-slim-bookworm AS build
ARG PIP_INDEX_URL
RUN pip install --no-cache-dir uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/fastflow
WORKDIR /build
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --no-install-project --quiet
COPY README.md LICENSE ./
COPY fastflow fastflow
COPY web web
COPY events events
COPY projections projections
COPY sql sql
RUN uv sync --locked --no-dev --no-editable --quiet

FROM python:3.11-slim-bookworm AS app
LABEL org.opencontainers.image.title="Fast-Flow" \
      org.opencontainers.image.licenses="MIT"
RUN apt-get update \
    && apt-get install -y --no-install-recommends git ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/fastflow /opt/fastflow
ENV PATH=/opt/fastflow/bin:$PATH PYTHONUNBUFFERED=1 LANG=C.UTF-8
# Root, because the engine's socket makes whoever may use it root anyway, and files of runs belong to user 1001.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8000') + '/health', timeout=4)"]
ENTRYPOINT ["fastflow"]
CMD ["up"]
