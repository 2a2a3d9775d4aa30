package requeue

import (
	"cmp"
	"context"
	"net/http"

	"chatexport/internal/config"
)

// InvokeConfig names the function that is invoked: the running one.
type InvokeConfig struct {
	Region   string // of the function, such as ap-guangzhou; required
	Function string // its name; required
	// Namespace and Qualifier (a version or an alias) must be those of the running function, or the continuation would
	// go to another one. Empty means default and $LATEST, as for the API.
	Namespace string
	Qualifier string
	// Endpoint is the base URL of the cloud API; empty means the product's. Plain http is refused but for loopback hosts.
	Endpoint    string
	Credentials config.Credentials
	Transport   http.RoundTripper // NewTransport's, shared by the process; nil means a new one
}

// Invoke publishes by asynchronous Invoke. It is safe for concurrent use.
type Invoke struct {
	action action
	config InvokeConfig
}

// NewInvoke returns a publisher for one invocation. It does no I/O; what is wrong with the configuration is an error of
// Publish.
func NewInvoke(c InvokeConfig) *Invoke {
	c.Namespace = cmp.Or(c.Namespace, "default")
	c.Qualifier = cmp.Or(c.Qualifier, "$LATEST")
	return &Invoke{
		config: c,
		action: action{
			service: "scf", version: "2018-04-16", name: "Invoke",
			target: c.Function, region: c.Region, endpoint: c.Endpoint, credentials: c.Credentials, transport: c.Transport,
		},
	}
}

// Publish returns nil when the platform has accepted the payload (JSON, at most event.MaxTaskBytes) as an event of the
// function. It retries by itself, within ctx. After an error the event may have been accepted all the same: the
// answer may have been lost. The error is an *Error.
func (p *Invoke) Publish(ctx context.Context, payload []byte) error {
	// InvokeFunction would be the synchronous API; Invoke with Event returns when the event is in the platform's queue.
	return p.action.publish(ctx, payload, map[string]any{
		"FunctionName":   p.config.Function,
		"Namespace":      p.config.Namespace,
		"Qualifier":      p.config.Qualifier,
		"InvocationType": "Event",
		"ClientContext":  string(payload),
	})
}
