# The server and the command line with the two tiny models: runs as an ordinary user, on a read-only root, without a
# network. docs/how-to/clients.md has the commands.
FROM python:3.12-slim AS build
# An index of CPU builds of torch, where pip's own has only the large one for this platform.
ARG PIP_EXTRA_INDEX_URL=
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY t2s_agent t2s_agent
COPY tools tools
RUN python -m venv /opt/t2s \
    && /opt/t2s/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt .

FROM python:3.12-slim
# rasterio's wheels bring GDAL but not expat, and slim images come without it.
RUN apt-get update && apt-get install --yes --no-install-recommends libexpat1 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/t2s /opt/t2s
# Only results and downloaded models are written; a volume keeps them.
RUN install --directory --owner 10001 --group 10001 /data
ENV PATH=/opt/t2s/bin:$PATH HOME=/data HF_HOME=/data/models T2S_STORE=/data/results PYTHONDONTWRITEBYTECODE=1
VOLUME /data
WORKDIR /data
USER 10001:10001
EXPOSE 8321
ENTRYPOINT ["t2s-agent"]
# Over stdio, on whatever imagery is mounted at /images.
CMD ["serve", "--root", "/images"]
