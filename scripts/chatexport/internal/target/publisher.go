package target

import (
	"cmp"
	"context"
	"time"

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

// Publishes hands events to the function. It repeats transient failures itself.
type Publishes interface {
	// Publish returns nil when the event was accepted.
	Publish(ctx context.Context, payload []byte) error
}

// Publisher returns what hands events to the deployed function, the way the function does it itself.
func Publisher(c config.Config, credentials config.Credentials, getenv func(string) string, f Function) Publishes {
	signer := requeue.Credentials{
		SecretID: credentials.SecretID.Reveal(), SecretKey: credentials.SecretKey.Reveal(), Token: credentials.Token.Reveal(),
	}
	platform := config.LoadPlatform(getenv)
	region := cmp.Or(platform.Region, c.COSRegion)
	if c.Requeue == config.RequeueCMQ {
		return requeue.NewCMQ(requeue.CMQConfig{Region: region, Topic: c.CMQTopic, Endpoint: c.CloudEndpoint, Credentials: signer})
	}
	return requeue.NewInvoke(requeue.InvokeConfig{
		Region: region, Function: cmp.Or(f.Name, platform.Function, DeployedFunction),
		Namespace: cmp.Or(f.Namespace, platform.Namespace), Qualifier: cmp.Or(f.Qualifier, platform.Version),
		Endpoint: c.CloudEndpoint, Credentials: signer,
	})
}
