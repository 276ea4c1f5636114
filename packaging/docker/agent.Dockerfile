# The agent, ptun. The context is what tree.ts lays out; Node comes along, so the base needs glibc and libstdc++ and no
# program. base.ts makes one; name another by its digest, as `npm run image -w packaging` wants it.
ARG BASE
FROM ${BASE}

LABEL org.opencontainers.image.title="ptun" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.documentation="docs/install.md"

COPY agent/ /usr/lib/ptun/
COPY --chown=10001:10001 data/ /data/

USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
ENV HOME=/data XDG_STATE_HOME=/data/state XDG_CONFIG_HOME=/data/config
# Docker would start an agent again that somebody stopped in the console; so it stays, and serves nothing.
ENV PTUN_WHEN_STOPPED=wait

# ptun handles its signals itself and has no children, so it needs no init in front of it.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/usr/lib/ptun/node/bin/node", "/usr/lib/ptun/health/health.js"]
ENTRYPOINT ["/usr/lib/ptun/node/bin/node", "/usr/lib/ptun/cli/ptun.js"]
CMD ["start", "--config", "/etc/ptun/ptun.yaml"]
