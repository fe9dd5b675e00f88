//go:build tools

// Package tools pins the Prometheus commands that the tests build, at the version of docker-compose.yml.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
