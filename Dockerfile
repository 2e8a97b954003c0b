# The container action: tools from source, then a slim Python, both bases by digest (kept equal to .github/bases).
# `make image PYTHON_IMAGE=… GO_IMAGE=…` takes others and labels version and commit (CONTRIBUTING.md, "The image").
ARG GO_IMAGE=golang:1.26.6-bookworm@sha256:116d58cbd88c1297624acc6e967a060012422bacf9930927e23fb719189c6f36
ARG PYTHON_IMAGE=python:3.13.14-slim-bookworm@sha256:9d7f287598e1a5a978c015ee176d8216435aaf335ed69ac3c38dd1bbb10e8d64
# Where building the tools starts: an image that holds some at /opt/hardening-gate/tools, such as an earlier one of ours,
# saves building these. Name only one that you trust: a binary is asked for its version, not for its origin. What does
# not answer with the pinned version is built, what is not pinned is left out.
ARG TOOLS_IMAGE=${PYTHON_IMAGE}

FROM ${GO_IMAGE} AS go

FROM ${TOOLS_IMAGE} AS tools
ARG GOPROXY
ARG GOSUMDB
COPY --from=go /usr/local/go/ /usr/local/go/
ENV PATH=/usr/local/go/bin:${PATH}
COPY tools/ /source/tools/
RUN ["python3", "/source/tools/build.py", "--home", "/opt/hardening-gate"]
# A layer of its own: what was built stays built when only this changes.
# hadolint ignore=DL3059
RUN ["python3", "/source/tools/image.py", "--copy-tools", "/opt/hardening-gate/tools", "/pinned"]

FROM ${PYTHON_IMAGE} AS packages
ARG PIP_INDEX_URL
COPY requirements/runtime.txt /requirements.txt
RUN ["python3", "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--require-hashes", \
     "--only-binary", ":all:", "--no-deps", "--target", "/packages", "--requirement", "/requirements.txt"]

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="hardening-gate" \
      org.opencontainers.image.description="Tells a pull request what it does to the security of its Kubernetes manifests, proves it, and gates the merge." \
      org.opencontainers.image.licenses="Apache-2.0"
# GitHub starts container actions as root with the workspace mounted: no USER and no WORKDIR here. process/ starts
# every scanner as nobody (65534) in a folder of its own. git reads the base; its version is the base image's.
# hadolint ignore=DL3008
RUN ["sh", "-c", "apt-get update && apt-get install --yes --no-install-recommends ca-certificates git && rm -rf /var/lib/apt/lists/* /var/cache/apt/*"]
COPY --from=tools /pinned/ /opt/hardening-gate/tools/
COPY --from=packages /packages/ /opt/hardening-gate/packages/
COPY . /action/
ENV HARDENING_GATE_HOME=/opt/hardening-gate \
    PYTHONPATH=/opt/hardening-gate/packages \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN ["python3", "-m", "compileall", "-q", "/action", "/opt/hardening-gate/packages"]
ENTRYPOINT ["python3", "/action/entrypoint.py", "action"]
