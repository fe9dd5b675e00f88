//go:build tools

// Package tools names what is built here: the commands of Prometheus, at the version of docker-compose.yml.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
