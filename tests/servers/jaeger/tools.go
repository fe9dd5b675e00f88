//go:build tools

// Package jaeger pins the published Jaeger that the tests build and start.
package jaeger

import _ "github.com/jaegertracing/jaeger/cmd/all-in-one"
