# The container action: tools from source, then a slim Python. Pin the bases by digest when you publish an image:
# --build-arg GO_IMAGE=golang:1.26-bookworm@sha256:… --build-arg PYTHON_IMAGE=python:3.13-slim-bookworm@sha256:…
ARG GO_IMAGE=golang:1.26.6-bookworm
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${GO_IMAGE} AS go

FROM ${PYTHON_IMAGE} AS tools
COPY --from=go /usr/local/go/ /usr/local/go/
ENV PATH=/usr/local/go/bin:${PATH}
COPY tools/ /source/tools/
RUN ["python3", "/source/tools/build.py", "--home", "/opt/hardening-gate"]

FROM ${PYTHON_IMAGE} AS packages
COPY requirements/runtime.txt /requirements.txt
RUN ["python3", "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--require-hashes", \
     "--only-binary", ":all:", "--no-deps", "--target", "/packages", "--requirement", "/requirements.txt"]

FROM ${PYTHON_IMAGE}
# GitHub starts container actions as root with the workspace mounted: no USER and no WORKDIR here. process/ starts
# every scanner as nobody (65534) in a folder of its own. git reads the base; its version is the base image's.
RUN ["sh", "-c", "apt-get update && apt-get install --yes --no-install-recommends ca-certificates git && rm -rf /var/lib/apt/lists/*"]
COPY --from=tools /opt/hardening-gate/tools/ /opt/hardening-gate/tools/
COPY --from=packages /packages/ /opt/hardening-gate/packages/
COPY . /action/
ENV HARDENING_GATE_HOME=/opt/hardening-gate \
    PYTHONPATH=/opt/hardening-gate/packages \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN ["python3", "-m", "compileall", "-q", "/action", "/opt/hardening-gate/packages"]
ENTRYPOINT ["python3", "/action/entrypoint.py", "action"]
