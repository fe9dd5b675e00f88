#!/bin/sh
# Configures Elasticsearch for the log lines of the fleet and Kibana for their readers: roles, the index template, the
# retention, a data view and saved searches. The check repeats every minute, so that everything is reinstalled after a
# volume was recreated. /tmp/ready is the health indicator.
#
# ELASTIC_PASSWORD contains the password of Elasticsearch's superuser, the other variables those of the users to create.
set -u
here=$(cd "$(dirname "$0")" && pwd)

elastic() {
    curl --silent --show-error --fail --user "elastic:$ELASTIC_PASSWORD" --header 'Content-Type: application/json' \
        --request "$1" "$ELASTICSEARCH_URL/$2" ${3:+--data-binary "$3"} --output /dev/null
}

install_elastic() {
    elastic POST _security/user/kibana_system/_password "{\"password\": \"$KIBANA_SYSTEM_PASSWORD\"}" &&
        elastic PUT _ilm/policy/shopfleet-logs "@$here/lifecycle.json" &&
        elastic PUT _ingest/pipeline/shopfleet-logs "@$here/pipeline.json" &&
        elastic PUT _index_template/shopfleet-logs "@$here/template.json" &&
        # The shipper may only add lines; Grafana may only read them.
        elastic PUT _security/role/shipper '{"cluster": ["monitor"], "indices": [{"names": ["logs-shopfleet-*"], "privileges": ["auto_configure", "create_doc"]}]}' &&
        elastic PUT _security/role/reader '{"cluster": ["monitor"], "indices": [{"names": ["logs-shopfleet-*"], "privileges": ["read", "view_index_metadata"]}]}' &&
        elastic PUT _security/user/shipper "{\"password\": \"$SHIPPER_PASSWORD\", \"roles\": [\"shipper\"]}" &&
        elastic PUT _security/user/grafana "{\"password\": \"$GRAFANA_ELASTIC_PASSWORD\", \"roles\": [\"reader\"]}"
}

install_kibana() {
    curl --silent --fail --user "elastic:$ELASTIC_PASSWORD" --header 'kbn-xsrf: setup' --output /dev/null \
        --form "file=@$here/../kibana/shopfleet.ndjson" "$KIBANA_URL/api/saved_objects/_import?overwrite=true"
}

kibana=
while :; do
    if ! elastic GET _index_template/shopfleet-logs 2>/dev/null; then
        rm -f /tmp/ready
        install_elastic && kibana= && echo "Elasticsearch configured"
    fi
    if elastic GET _security/user/shipper 2>/dev/null; then
        : >/tmp/ready
        if [ -z "$kibana" ] && install_kibana; then
            kibana=done
            echo "Kibana data view and saved searches installed"
        fi
    fi
    [ -n "$kibana" ] && pause=60 || pause=5
    sleep "$pause"
done
