package requeue

import (
	"context"
	"net/http"

	"chatexport/internal/config"
)

// CMQConfig names the topic that triggers the function.
type CMQConfig struct {
	Region string // of the topic; required
	Topic  string // its name; required
	// Endpoint is the base URL of the cloud API; empty means the product's. Plain http is refused but for loopback hosts.
	Endpoint    string
	Credentials config.Credentials
	Transport   http.RoundTripper // NewTransport's, shared by the process; nil means a new one
}

// CMQ publishes to a topic of TDMQ for CMQ. It is safe for concurrent use. The API takes 20 messages a second from the
// whole account.
type CMQ struct {
	action action
	topic  string
}

// NewCMQ returns a publisher for one invocation. It does no I/O; what is wrong with the configuration is an error of
// Publish.
func NewCMQ(c CMQConfig) *CMQ {
	return &CMQ{
		topic: c.Topic,
		action: action{
			service: "tdmq", version: "2020-02-17", name: "PublishCmqMsg",
			target: c.Topic, region: c.Region, endpoint: c.Endpoint, credentials: c.Credentials, transport: c.Transport,
		},
	}
}

// Publish returns nil when the topic has accepted the payload (JSON, at most event.MaxTaskBytes). It retries by itself,
// within ctx. After an error the message may have been accepted all the same: the answer may have been lost. The
// error is an *Error.
func (p *CMQ) Publish(ctx context.Context, payload []byte) error {
	return p.action.publish(ctx, payload, map[string]any{
		"TopicName":  p.topic,
		"MsgContent": string(payload),
	})
}
