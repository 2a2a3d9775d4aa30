package target

import (
	"cmp"
	"time"

	"github.com/spf13/pflag"

	"chatexport/internal/config"
	"chatexport/internal/requeue"
	"chatexport/scripts/internal/services"
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

// NewPublisher returns the publisher that the configuration names: it hands events to the deployed function, the way the
// function does it itself.
func NewPublisher(c config.Config, credentials config.Credentials, getenv func(string) string, f Function) *requeue.Publisher {
	platform := config.LoadPlatform(getenv)
	next := requeue.Config{
		Region: cmp.Or(platform.Region, c.COSRegion), Function: cmp.Or(f.Name, platform.Function, DeployedFunction),
		Namespace: cmp.Or(f.Namespace, platform.Namespace), Qualifier: cmp.Or(f.Qualifier, platform.Version),
		Endpoint: c.CloudEndpoint, Credentials: credentials, Transport: services.Cloud(),
	}
	if c.Requeue == config.RequeueCMQ {
		next.Topic = c.CMQTopic
	}
	return requeue.New(next)
}
