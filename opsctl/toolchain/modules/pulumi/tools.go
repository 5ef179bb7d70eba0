//go:build tools

// Package tools names the programs that opsctl builds from this module, so that
// `go mod tidy` keeps what they need.
package tools

import (
	_ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
)
