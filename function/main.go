// Command function is the SCF function: it serves the events that the platform delivers over RPC.
package main

import (
	"os"
	"runtime"

	"github.com/tencentyun/scf-go-lib/cloudfunction"

	"chatexport/internal/invocation"
)

func main() {
	// At the quota of 200 calls a second the work fills a fraction of one core, which is what a small function has. A
	// second thread would only be woken and find nothing to do, some hundred times a second.
	runtime.GOMAXPROCS(1)
	// The environment arrives inside each invocation, so nothing is read here.
	cloudfunction.StartHandler(&handler{inner: invocation.New(os.Getenv, os.Stdout)})
}
