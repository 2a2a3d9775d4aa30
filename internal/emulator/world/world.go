// Package world puts the emulators of the Chat service, the files of its messages, COS and the cloud API together into one
// place where the function can live: what a test needs to run the production path over real HTTP and to look at what came of it.
//
// It is for tests only. It owns no behaviour of its own: faults and quirks are the emulators'.
package world

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"testing"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/config"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/event"
	"chatexport/internal/invocation"
	"chatexport/internal/objstore/cosstore"
)

// What the world is made of. Everything is known to the emulators only.
const (
	SDKAppID  = 1400000000
	SecretKey = "world-secret-key-world-secret-key"
	SecretID  = "AKIDworld"
	CloudKey  = "world-cloud-key"
	Token     = "world-session-token"
	Bucket    = "archive-1250000000"
	Region    = "ap-guangzhou"
	Function  = "chatexport"
)

// Options change the world before it begins. The zero value is a world without latency, quota or faults.
type Options struct {
	Chat  chatemu.Options
	Media mediaemu.Options
	COS   cosemu.Options
	// Cloud is the cloud API's fault function.
	Cloud func(*cloudemu.Call) *cloudemu.Fault
	Queue cloudemu.QueueOptions
	// Keys are known to COS and to the cloud API beside the world's own.
	Keys []cloudemu.Credential
	// TimeLimit of the function; 30 s if 0.
	TimeLimit time.Duration
	// Env replaces variables of the function.
	Env map[string]string
	// Virtual puts the world on a network without sockets, for tests in a bubble of testing/synctest.
	Virtual bool
	// Wrap, if set, stands in front of a service: "chat", "media", "cos" or "cloud".
	Wrap func(service string, next http.Handler) http.Handler
}

// World is the emulated surroundings of one function.
type World struct {
	Chat  *chatemu.Server
	Media *mediaemu.Server // signs for the Chat service
	COS   *cosemu.Server
	Cloud *cloudemu.Server
	Queue *cloudemu.Queue
	Store *cosstore.Store // for looking at the archive; requests through it are counted, too
	Env   map[string]string
	Logs  *Log

	Network *Network // nil where the world is on loopback

	t         testing.TB
	timeLimit time.Duration
	ticks     int
}

// New begins a world that ends with the test.
func New(t testing.TB, o Options) *World {
	t.Helper()
	w := &World{t: t, Logs: &Log{}, timeLimit: o.TimeLimit}
	if w.timeLimit == 0 {
		w.timeLimit = 30 * time.Second
	}
	chatURL, cosURL, cloudURL := w.begin(o)
	w.Env = map[string]string{
		"CHAT_SDKAPPID": strconv.Itoa(SDKAppID), "CHAT_SECRET_KEY": SecretKey, "CHAT_ENDPOINT": chatURL, "CHAT_QPS": "200",
		"COS_BUCKET": Bucket, "COS_REGION": Region, "COS_ENDPOINT": cosURL, "CLOUD_ENDPOINT": cloudURL, "MEDIA_HOSTS": "127.0.0.1",
		"EXPORT_MEDIA": "off", "EXPORT_LOOK": "off", // what messages cost is counted without what follows them
		"TENCENTCLOUD_SECRETID": SecretID, "TENCENTCLOUD_SECRETKEY": CloudKey, "TENCENTCLOUD_SESSIONTOKEN": Token,
	}
	maps.Copy(w.Env, o.Env)
	w.Store = w.openStore(cosURL)
	return w
}

// begin starts the services and returns their base URLs.
func (w *World) begin(o Options) (chatURL, cosURL, cloudURL string) {
	w.t.Helper()
	own := o.Virtual || o.Wrap != nil // served here, not by the emulators themselves
	if o.Virtual {
		w.Network = NewNetwork()
	}
	if o.Wrap == nil {
		o.Wrap = func(_ string, next http.Handler) http.Handler { return next }
	}
	w.Media = mediaemu.New(o.Media)
	o.Chat.SDKAppID, o.Chat.SecretKey, o.Chat.SignURL = SDKAppID, SecretKey, w.Media.Sign
	w.Chat = chatemu.New(o.Chat)
	if own {
		chatURL = w.serve(o.Wrap("chat", w.Chat))
		w.Media.ServedAt(w.serve(o.Wrap("media", w.Media)))
	} else {
		chatURL = w.Chat.StartT(w.t)
		w.Media.StartT(w.t)
	}

	if o.COS.Root == "" {
		o.COS.Root = w.t.TempDir()
	}
	if o.COS.Buckets == nil {
		o.COS.Buckets = []cosemu.Bucket{{Name: Bucket}}
	}
	if o.COS.Credentials == nil {
		o.COS.Credentials = keys(o.Keys)
	}
	var err error
	w.COS, err = cosemu.Open(o.COS)
	w.must(err)
	w.t.Cleanup(func() { _ = w.COS.Close() })
	if own {
		cosURL = w.serve(o.Wrap("cos", w.COS))
	} else {
		cosURL, err = w.COS.Start()
		w.must(err)
	}

	w.Queue = cloudemu.NewQueue(o.Queue)
	w.Cloud = cloudemu.New(cloudemu.Config{
		Credentials: append([]cloudemu.Credential{{SecretID: SecretID, SecretKey: CloudKey, Token: Token}}, o.Keys...),
		Region:      Region, Queue: w.Queue, Fault: o.Cloud,
	})
	if own {
		return chatURL, cosURL, w.serve(o.Wrap("cloud", w.Cloud))
	}
	cloudURL, err = w.Cloud.Listen(w.t.Context(), "127.0.0.1:0")
	w.must(err)
	w.t.Cleanup(func() { _ = w.Cloud.Close() })
	return chatURL, cosURL, cloudURL
}

func (w *World) openStore(endpoint string) *cosstore.Store {
	w.t.Helper()
	bucket := cosstore.Config{
		Bucket: Bucket, Region: Region, Prefix: w.Env["COS_PREFIX"], Endpoint: endpoint,
		Credentials: config.Credentials{SecretID: config.NewSecret(SecretID), SecretKey: config.NewSecret(CloudKey), Token: config.NewSecret(Token)},
	}
	if w.Network != nil {
		bucket.Dial = w.Network.Dial
	}
	store, err := cosstore.New(bucket)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(store.CloseIdleConnections)
	return store
}

// Group adds a public group of n generated messages that vary in everything the service may send.
func (w *World) Group(id string, n int) chat.Stream {
	w.t.Helper()
	s := chat.Stream{GroupID: id}
	w.must(w.Chat.AddGroup(chatemu.Group{ID: id}))
	if n > 0 {
		w.must(w.Chat.Generate(s, n, chatemu.Varied))
	}
	return s
}

func (w *World) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Instance starts an instance of the function: a handler with nothing warm.
func (w *World) Instance() *invocation.Handler {
	h := invocation.New(func(name string) string { return w.Env[name] }, w.Logs)
	if w.Network != nil {
		h.DialWith(w.Network.Dial)
	}
	return h
}

// Process starts an instance as a process of its own on the world's network, which can be killed.
func (w *World) Process() (*invocation.Handler, *Process) {
	w.t.Helper()
	h, p := w.Instance(), w.Network.NewProcess(w.t.Context())
	h.DialWith(p.Dial)
	w.t.Cleanup(p.Kill)
	return h, p
}

// Timer returns the event of a timer whose argument names the streams. Every call is another tick.
func (w *World) Timer(streams ...chat.Stream) []byte {
	w.t.Helper()
	task := event.Task{}
	if len(streams) == 1 {
		task = event.For(streams[0])
	} else {
		task.Groups = streams
	}
	message, err := task.Encode()
	w.must(err)
	w.ticks++
	return scfemu.TimerEvent("tick", string(message), time.Unix(1_700_000_000+int64(w.ticks)*3600, 0))
}

// Invoke does one invocation as the platform would.
func (w *World) Invoke(h *invocation.Handler, d cloudemu.Delivery) (string, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), w.timeLimit)
	defer cancel()
	out, err := h.Invoke(ctx, invocation.Platform{
		RequestID: d.RequestID, Function: Function, Version: "$LATEST", Namespace: "default", Region: Region,
		MemoryMB: 128, TimeLimit: w.timeLimit,
	}, d.Payload)
	return string(out), err
}

// Drain serves every queued event on one instance until the queue is empty, and returns how many invocations that took
// and the errors of those that failed.
func (w *World) Drain(h *invocation.Handler) (invocations int, failures []error) {
	w.t.Helper()
	for {
		d, err := w.Queue.NextOrDrained(w.t.Context())
		if errors.Is(err, cloudemu.ErrDrained) {
			return invocations, failures
		}
		w.must(err)
		invocations++
		if _, err := w.Invoke(h, d); err != nil {
			failures = append(failures, err)
			w.must(w.Queue.Nack(d.ID, err.Error()))
			continue
		}
		w.must(w.Queue.Ack(d.ID))
	}
}

// Tick fires a timer for the streams and drains the queue on a new instance. It fails the test when an invocation does.
func (w *World) Tick(streams ...chat.Stream) (invocations int) {
	w.t.Helper()
	_, err := w.Queue.Push(w.Timer(streams...))
	w.must(err)
	invocations, failures := w.Drain(w.Instance())
	if err := errors.Join(failures...); err != nil {
		w.t.Fatalf("invocations failed: %v", err)
	}
	return invocations
}
