package main

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/tencentyun/scf-go-lib/functioncontext"

	"chatexport/internal/invocation"
)

// memoryShare of the function's memory is the limit that the garbage collector works towards; the rest is for stacks,
// the runtime itself and what the kernel counts with the process.
const memoryShare = 0.75

// handler adapts the platform's library to package invocation. It takes raw bytes: the library's own decoding would
// turn an unexpected event into an error, and so into endless redelivery.
type handler struct {
	inner    *invocation.Handler
	memoryMB int // for which the memory limit is set
}

// Invoke implements cloudfunction.Handler.
func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var p invocation.Platform
	if fc, ok := functioncontext.FromContext(ctx); ok {
		p = invocation.Platform{
			RequestID: fc.RequestID, Function: fc.FunctionName, Version: fc.FunctionVersion, Namespace: fc.Namespace,
			Region: fc.TencentcloudRegion, MemoryMB: int(fc.MemoryLimitInMb),
			TimeLimit: time.Duration(fc.TimeLimitInMs) * time.Millisecond,
		}
	}
	if p.MemoryMB > 0 && p.MemoryMB != h.memoryMB {
		h.memoryMB = p.MemoryMB
		debug.SetMemoryLimit(int64(memoryShare * float64(p.MemoryMB<<20)))
	}
	return h.inner.Invoke(ctx, p, payload)
}
