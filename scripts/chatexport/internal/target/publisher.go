package target

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/pflag"

	"chatexport/internal/config"
	"chatexport/internal/requeue"
)

// What serverless.yml deploys where nobody has changed it.
const (
	DeployedFunction  = "chatexport"
	DeployedMemory    = 128 // MB
	DeployedTimeLimit = 300 * time.Second
)

// Function names the deployed function. Empty members are taken from the variables, then from what serverless.yml deploys.
type Function struct {
	Name, Namespace, Qualifier string
}

// Register adds the flags that name it.
func (f *Function) Register(flags *pflag.FlagSet) {
	flags.StringVar(&f.Name, "function", "", "`name` of the function (default: SCF_FUNCTIONNAME, or "+DeployedFunction+")")
	flags.StringVar(&f.Namespace, "namespace", "", "`name` of the function's namespace (default: SCF_NAMESPACE, or default)")
}

// Publisher hands events to the deployed function, the way the function does it itself.
type Publisher struct {
	publish func(ctx context.Context, payload []byte) error
}

// Publish returns nil when the event was accepted. It repeats transient failures itself.
func (p *Publisher) Publish(ctx context.Context, payload []byte) error {
	return p.publish(ctx, payload)
}

// NewPublisher returns the publisher that the configuration names.
func NewPublisher(c config.Config, credentials config.Credentials, getenv func(string) string, f Function) *Publisher {
	platform := config.LoadPlatform(getenv)
	region := cmp.Or(platform.Region, c.COSRegion)
	if c.Requeue == config.RequeueCMQ {
		cmq := requeue.NewCMQ(requeue.CMQConfig{Region: region, Topic: c.CMQTopic, Endpoint: c.CloudEndpoint, Credentials: credentials})
		return &Publisher{publish: cmq.Publish}
	}
	invoke := requeue.NewInvoke(requeue.InvokeConfig{
		Region: region, Function: cmp.Or(f.Name, platform.Function, DeployedFunction),
		Namespace: cmp.Or(f.Namespace, platform.Namespace), Qualifier: cmp.Or(f.Qualifier, platform.Version),
		Endpoint: c.CloudEndpoint, Credentials: credentials,
	})
	return &Publisher{publish: invoke.Publish}
}
