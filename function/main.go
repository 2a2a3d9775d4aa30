// Command function is the SCF function: it serves the events that the platform delivers over RPC.
package main

import (
	"os"

	"github.com/tencentyun/scf-go-lib/cloudfunction"

	"chatexport/internal/invocation"
)

func main() {
	// The environment arrives inside each invocation, so nothing is read here.
	cloudfunction.StartHandler(&handler{inner: invocation.New(os.Getenv, os.Stdout)})
}
