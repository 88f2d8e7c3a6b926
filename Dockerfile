# Babelens as a service: the page and the HTTP API on port 8000. How to run it stands in docs/deploy.md.
#
#   docker build --tag babelens .
#   docker build --tag babelens --build-arg EXTRAS=ask --build-arg PACKAGES="tesseract-ocr tesseract-ocr-ara" .

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Extras of the package, with commas between them.
ARG EXTRAS=""
RUN python -m venv /opt/babelens
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN /opt/babelens/bin/pip install --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}"

FROM python:3.11-slim-bookworm
# Debian packages, with spaces between them: Tesseract reads Arabic and Hindi in pictures.
ARG PACKAGES=""
RUN if [ -n "$PACKAGES" ]; then \
      apt-get update && \
      apt-get install --yes --no-install-recommends $PACKAGES && \
      rm -rf /var/lib/apt/lists/*; \
    fi
# /data holds collections, /cache what can be fetched or made again: models and thumbnails.
RUN groupadd --gid 10001 babelens && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin babelens && \
    install --directory --owner=10001 --group=10001 /data /cache
COPY --from=build /opt/babelens /opt/babelens
ENV PATH=/opt/babelens/bin:$PATH \
    XDG_DATA_HOME=/data \
    BABELENS_CACHE=/cache \
    HF_HOME=/cache/huggingface
# By number, so that whoever runs the image can see that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME ["/data", "/cache"]
EXPOSE 8000
# Not /ready: a service that is too busy for a moment has to be left alone, and not started again.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["babelens"]
# Refuses to start without BABELENS_API_KEY or BABELENS_API_KEY_FILE, since other machines reach it.
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
