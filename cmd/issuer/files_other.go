//go:build !unix

package main

import "github.com/xrplissuer/credential-issuer/issuer/httpapi"

// mostConnections is how many connections there may be.
func mostConnections() int { return httpapi.DefaultConnections }
