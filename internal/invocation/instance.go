package invocation

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/event"
	"chatexport/internal/export"
	"chatexport/internal/logging"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/requeue"
	"chatexport/internal/retry"
	"chatexport/internal/sweep"
	"chatexport/internal/version"
)

var (
	_ export.Source   = (*chatapi.Client)(nil)
	_ objstore.Store    = (*cosstore.Store)(nil)
	_ export.Requeuer = (*continuer)(nil)
)

// instance is what lives as long as the process: configuration, connection pools, and the pace of the calls.
type instance struct {
	config    config.Config
	log       zerolog.Logger
	source    *chatapi.Client
	store     *cosstore.Store
	caller    *retry.Caller
	listPace  *retry.Limiter // of the list of groups, which has a quota of its own
	writes    *objstore.WriteTimes
	transport *http.Transport // of the cloud API
	checked   bool            // the preflight has passed
}

func newInstance(c config.Config, logs io.Writer, dial Dialer) (*instance, error) {
	log := logging.New(logs, c.LogLevel).With().Str("build", version.String()).Logger()
	for _, warning := range c.Warnings() {
		log.Warn().Msg(warning)
	}
	base := c.ChatEndpoint
	if base == "" {
		var err error
		if base, err = chatapi.BaseURL(c.ChatRegion); err != nil {
			return nil, fmt.Errorf("chat client: %w", err)
		}
	}
	source, err := chatapi.New(chatapi.Config{
		SDKAppID: c.ChatSDKAppID, SecretKey: c.ChatSecretKey.Reveal(), Admin: c.ChatAdmin,
		BaseURL: base, Concurrency: c.ChatConcurrency, Dial: dial,
	})
	if err != nil {
		return nil, fmt.Errorf("chat client: %w", err)
	}
	store, err := cosstore.New(cosstore.Config{
		Bucket: c.COSBucket, Region: c.COSRegion, Prefix: c.COSPrefix, Endpoint: c.COSEndpoint, Dial: dial,
	})
	if err != nil {
		return nil, err
	}
	transport := requeue.NewTransport()
	if dial != nil {
		transport.DialContext = dial
	}
	return &instance{
		config: c, log: log, source: source, store: store,
		caller: chatapi.NewCaller(retry.NewLimiter(float64(c.ChatQPS))), listPace: retry.NewLimiter(sweep.ListQPS), writes: new(objstore.WriteTimes), transport: transport,
	}, nil
}

// preflight checks the bucket once in an instance's life, again after each failure.
func (i *instance) preflight(ctx context.Context) error {
	if i.checked {
		return nil
	}
	if err := i.store.Preflight(ctx); err != nil {
		return err
	}
	i.checked = true
	return nil
}

// scope is what lives as long as one invocation: the credentials, and what was made with them.
type scope struct {
	*instance
	platform  Platform
	publisher publisher
	engine    *export.Engine
}

// publisher hands an event to the next invocation. It retries by itself; after an error the event may have been
// accepted all the same.
type publisher interface {
	Publish(ctx context.Context, payload []byte) error
}

func (i *instance) scope(getenv func(string) string, p Platform, log zerolog.Logger) (*scope, error) {
	credentials, err := config.LoadCredentials(getenv)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	i.store.SetCredentials(cosstore.Credentials{
		SecretID: credentials.SecretID.Reveal(), SecretKey: credentials.SecretKey.Reveal(), Token: credentials.Token.Reveal(),
	})
	// The platform freezes the process between invocations, and peers hang up meanwhile.
	i.source.CloseIdleConnections()
	i.store.CloseIdleConnections()
	i.transport.CloseIdleConnections()

	s := &scope{instance: i, platform: complete(p, config.LoadPlatform(getenv), i.config)}
	s.publisher = s.newPublisher(credentials)
	s.engine = &export.Engine{
		Source: i.source, Store: i.store, Requeuer: &continuer{publisher: s.publisher}, Caller: i.caller, Writes: i.writes,
		Build: version.String(),
		Limits: export.Limits{
			SDKAppID: i.config.ChatSDKAppID, Span: chat.Seq(i.config.ExportSpan), ChunkBytes: i.config.ExportChunkBytes,
			Exhaustive: i.config.ExportVoid == config.VoidExhaustive, MaxHops: i.config.ExportMaxHops,
			Concurrency: i.config.ChatConcurrency,
		},
	}
	log.Debug().Str("function", s.platform.Function).Str("version", s.platform.Version).Msg("invocation begins")
	return s, nil
}

// complete fills what the invocation did not say from the environment; the region of COS is the function's, too, where
// nothing else tells it, since both should be in one region anyway.
func complete(p Platform, env config.Platform, c config.Config) Platform {
	p.Function = cmp.Or(p.Function, env.Function)
	p.Version = cmp.Or(p.Version, env.Version)
	p.Namespace = cmp.Or(p.Namespace, env.Namespace)
	p.Region = cmp.Or(p.Region, env.Region, c.COSRegion)
	return p
}

func (s *scope) newPublisher(c config.Credentials) publisher {
	credentials := requeue.Credentials{SecretID: c.SecretID.Reveal(), SecretKey: c.SecretKey.Reveal(), Token: c.Token.Reveal()}
	if s.config.Requeue == config.RequeueCMQ {
		return requeue.NewCMQ(requeue.CMQConfig{
			Region: s.platform.Region, Topic: s.config.CMQTopic, Endpoint: s.config.CloudEndpoint,
			Credentials: credentials, Transport: s.transport,
		})
	}
	return requeue.NewInvoke(requeue.InvokeConfig{
		Region: s.platform.Region, Function: s.platform.Function, Namespace: s.platform.Namespace,
		Qualifier: s.platform.Version, Endpoint: s.config.CloudEndpoint, Credentials: credentials, Transport: s.transport,
	})
}

// continuer publishes continuations of the engine as events of the function.
type continuer struct{ publisher publisher }

// Continue implements export.Requeuer.
func (c *continuer) Continue(ctx context.Context, s chat.Stream, next []byte) error {
	task := event.For(s)
	task.V, task.Continue = event.Version, next
	body, err := task.Encode()
	if err != nil {
		return fmt.Errorf("encode continuation: %w", err)
	}
	return c.publisher.Publish(ctx, body)
}
