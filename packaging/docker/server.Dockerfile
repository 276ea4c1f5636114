# The server: control plane, relay and console in one container. The context is what tree.ts lays out; Node comes along,
# so the base needs glibc and libstdc++ and no program. base.ts makes one; name another by its digest, as
# `npm run image -w packaging` wants it.
ARG BASE
FROM ${BASE}

LABEL org.opencontainers.image.title="PortTunneler server" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.documentation="docs/install.md"

COPY server/ /usr/lib/porttunneler/
COPY --chown=10001:10001 data/ /data/

USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
ENV PORTTUNNELER_DATA=/data PORTTUNNELER_BIND=0.0.0.0 HOME=/data
EXPOSE 8400 8443 8480 20000-20999

# The server handles its signals itself and waits for its own children, so it needs no init in front of it.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/usr/lib/porttunneler/node/bin/node", "/usr/lib/porttunneler/standalone/health.js"]
ENTRYPOINT ["/usr/lib/porttunneler/node/bin/node", "/usr/lib/porttunneler/standalone/start.js", "--bundled"]
