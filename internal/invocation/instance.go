package invocation

import (
	"context"
	"net/http"

	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/event"
	"chatexport/internal/export"
	"chatexport/internal/fetch"
	"chatexport/internal/guard"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/requeue"
	"chatexport/internal/retry"
	"chatexport/internal/sweep"
	"chatexport/internal/trail"
	"chatexport/internal/trail/change"
	"chatexport/internal/trail/media"
	"chatexport/internal/version"
)

var (
	_ export.Source   = (*chatapi.Client)(nil)
	_ objstore.Store  = (*cosstore.Store)(nil)
	_ export.Requeuer = (*visit)(nil)
)

// instance is what lives as long as the process: configuration, connection pools, and the pace of the calls.
type instance struct {
	config    config.Config
	source    *chatapi.Client
	store     *cosstore.Store
	caller    *retry.Caller
	listPace  *retry.Limiter // of the list of groups, which has a quota of its own
	fetcher   *fetch.Fetcher
	writes    *objstore.WriteTimes
	transport *http.Transport // of the cloud API
	seal      event.Seal      // of what the function tells itself
	checked   bool            // the preflight has passed
}

func newInstance(c config.Config, dial guard.Dialer, log zerolog.Logger) (*instance, error) {
	source, err := chatapi.New(chatapi.Config{
		SDKAppID: c.ChatSDKAppID, SecretKey: c.ChatSecretKey, Admin: c.ChatAdmin,
		BaseURL: c.ChatEndpoint, Concurrency: c.ChatConcurrency, Dial: dial,
	})
	if err != nil {
		return nil, err
	}
	store, err := cosstore.New(cosstore.Config{
		Bucket: c.COSBucket, Region: c.COSRegion, Prefix: c.COSPrefix, Endpoint: c.COSEndpoint, Dial: dial,
	})
	if err != nil {
		return nil, err
	}
	caller := chatapi.NewCaller(retry.NewLimiter(float64(c.ChatQPS)))
	return &instance{
		config: c, source: source, store: store, caller: caller,
		fetcher: fetch.New(fetch.Config{
			Hosts: c.MediaHosts, Loopback: c.LoopbackMedia(), MaxBytes: c.MediaMaxBytes, UserAgent: "chatexport/" + version.String(), Dial: dial, Log: log,
		}, source, caller),
		listPace: retry.NewLimiter(sweep.ListQPS), writes: new(objstore.WriteTimes), transport: requeue.NewTransport(dial),
		seal: event.NewSeal(c.ChatSecretKey.Reveal(), c.COSBucket, c.COSPrefix),
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

// wake makes the instance ready for an invocation: the platform freezes the process between them, and peers hang up
// meanwhile. Credentials are another's every time.
func (i *instance) wake(c config.Credentials) {
	i.store.SetCredentials(c)
	i.source.CloseIdleConnections()
	i.store.CloseIdleConnections()
	i.transport.CloseIdleConnections()
	i.fetcher.CloseIdleConnections()
}

func (v *visit) newEngine() *export.Engine {
	var trails []trail.Kind
	var files *media.Kind
	if v.config.ExportMedia {
		files = &media.Kind{Fetcher: v.fetcher, Retention: v.config.Retention()}
		trails = append(trails, files)
	}
	if v.config.ExportLook > 0 {
		trails = append(trails, &change.Kind{
			After: v.config.ExportLook, Retention: v.config.Retention(), Exhaustive: v.config.ExportVoid == config.VoidExhaustive, Files: files,
		})
	}
	return &export.Engine{
		Trails: trails,
		Source: v.source, Store: v.store, Requeuer: v, Caller: v.caller, Writes: v.writes, Build: version.String(),
		Limits: export.Limits{
			SDKAppID: v.config.ChatSDKAppID, Span: chat.Seq(v.config.ExportSpan), ChunkBytes: v.config.ExportChunkBytes,
			Exhaustive: v.config.ExportVoid == config.VoidExhaustive, MaxHops: v.config.ExportMaxHops,
			Concurrency: v.config.ChatConcurrency,
		},
	}
}

func (v *visit) newPublisher(c config.Credentials) *requeue.Publisher {
	next := requeue.Config{
		Region: v.platform.Region, Function: v.platform.Function, Namespace: v.platform.Namespace, Qualifier: v.platform.Version,
		Endpoint: v.config.CloudEndpoint, Credentials: c, Transport: v.transport,
	}
	if v.config.Requeue == config.RequeueCMQ {
		next.Topic = v.config.CMQTopic
	}
	return requeue.New(next)
}
