# The image of one service, for all of its processes: docker build --build-arg SERVICE=users --tag tessera/users-ms .
ARG SERVICE

FROM python:3.13-slim-trixie AS build
ARG SERVICE
COPY requirements/${SERVICE}.txt /src/
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check --require-hashes -r /src/${SERVICE}.txt
WORKDIR /app
COPY VERSION ./
COPY chassis chassis
COPY installation installation
COPY broker/rights.json broker/
COPY ${SERVICE}/ ./
# Compile here, because the root file system is read-only at run time; unchecked, because files in an image do not change.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

FROM python:3.13-slim-trixie
ARG SERVICE
ARG VERSION=
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.title="tessera/${SERVICE}-ms" \
      org.opencontainers.image.description="The ${SERVICE} service of Tessera: its web processes, relay, workers and migrations" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="python:3.13-slim-trixie"
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SERVICE=${SERVICE}-ms
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app ./
USER 10001:10001
EXPOSE 4000
HEALTHCHECK --interval=5s --timeout=10s --start-period=120s --retries=3 CMD ["python", "-m", "chassis.operations.health"]
CMD ["gunicorn", "--config", "python:chassis.operations.gunicorn"]
