# docker build -t voxcycle .
# docker build --build-arg EXTRAS=train -t voxcycle:train .
# docker build --build-arg EXTRAS=web -t voxcycle:web .
# docker run --rm -p 7860:7860 -v voices:/data/voices voxcycle:web serve --host 0.0.0.0 --no-browser
# With extras, pip installs a CUDA build of PyTorch; for the small CPU build add
# --build-arg PIP_EXTRA_INDEX_URL=URL with the address on PyTorch's page.
FROM python:3.12-slim AS build
ARG EXTRAS=""
ARG PIP_EXTRA_INDEX_URL=""
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY voxcycle voxcycle
RUN python -m venv /opt/voxcycle \
    && /opt/voxcycle/bin/pip install --no-cache-dir ".${EXTRAS:+[$EXTRAS]}"

FROM python:3.12-slim
COPY --from=build /opt/voxcycle /opt/voxcycle
RUN useradd --uid 1000 --create-home voxcycle \
    && install --directory --owner=voxcycle /recordings /data /data/voices
ENV PATH=/opt/voxcycle/bin:$PATH VOXCYCLE_DATA=/data
USER voxcycle
WORKDIR /recordings
VOLUME /data/voices
EXPOSE 7860
HEALTHCHECK --interval=5m --timeout=30s CMD ["voxcycle", "doctor", "--quiet"]
ENTRYPOINT ["voxcycle"]
CMD ["--help"]
