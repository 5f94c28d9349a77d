# The exporter of MongoDB (deploy/monitoring/exporters.toml) reads its URL, with the password, from a
# file. Its own image has no shell for that.
FROM percona/mongodb_exporter:0.53.0 AS exporter
FROM busybox:1.37.0
COPY --from=exporter /mongodb_exporter /mongodb_exporter
USER 10001
EXPOSE 9216
ENTRYPOINT ["sh", "-c", "MONGODB_URI=\"$(cat /secrets/mongo_url)\" exec /mongodb_exporter \"$@\"", "sh"]
