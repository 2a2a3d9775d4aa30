package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"chatexport/internal/config"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/objstore/dirstore"
)

// The emulated app, bucket and function.
const (
	sdkAppID     = 1400000001
	bucket       = "chat-archive-1250000000"
	region       = "ap-guangzhou"
	functionName = "chatexport"
	namespace    = "default"
	version      = "$LATEST"
)

// world is the function's emulated surroundings: three servers on loopback, and the queue that delivers events, which
// ends with the process.
type world struct {
	chat  *chatemu.Server
	cos   *cosemu.Server
	cloud *cloudemu.Server
	queue *cloudemu.Queue
	store *dirstore.Store   // the bucket's folder, for looking at the archive
	env   map[string]string // of the function
	stops []func() error
}

// newWorld starts the emulators and fills the groups. The archive is the one that the folder holds.
func newWorld(ctx context.Context, o options, c content, env map[string]string, onCall func(chatemu.Call)) (_ *world, err error) {
	w := &world{env: env}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	// The servers outlive the interruption of the command: an invocation that is cancelled still has last words.
	ctx = context.WithoutCancel(ctx)
	if err := w.startChat(ctx, o, c, onCall); err != nil {
		return nil, err
	}
	if err := w.startCOS(o); err != nil { //nolint:contextcheck // this server is ended by Close, not by a context
		return nil, err
	}
	if err := w.startCloud(ctx, o); err != nil {
		return nil, err
	}
	if w.store, err = dirstore.Open(o.archive()); err != nil {
		return nil, err
	}
	w.stops = append(w.stops, w.store.Close)
	return w, nil
}

// newEnv returns the function's variables but for the endpoints, with keys that are good for this run only. The error
// names flags.
func newEnv(o options) (map[string]string, error) {
	env := map[string]string{
		"CHAT_SDKAPPID": strconv.Itoa(sdkAppID), "CHAT_SECRET_KEY": rand.Text(), "CHAT_QPS": strconv.Itoa(o.qps),
		"COS_BUCKET": bucket, "COS_REGION": region,
		"TENCENTCLOUD_SECRETID": "AKID" + rand.Text(), "TENCENTCLOUD_SECRETKEY": rand.Text(), "TENCENTCLOUD_SESSIONTOKEN": rand.Text(),
	}
	if o.span != 0 {
		env["EXPORT_SPAN"] = strconv.FormatInt(o.span, 10)
	}
	if o.chunkBytes != 0 {
		env["EXPORT_CHUNK_BYTES"] = strconv.FormatInt(o.chunkBytes, 10)
	}
	_, err := config.Load(func(name string) string { return env[name] })
	return env, inFlags(err)
}

// inFlags says the problems of the function's configuration in the words of the command line.
func inFlags(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var problems []error
		for _, e := range joined.Unwrap() {
			problems = append(problems, inFlags(e))
		}
		return errors.Join(problems...)
	}
	problem, ok := errors.AsType[*config.Error](err)
	if !ok {
		return err
	}
	flags := map[string]string{"CHAT_QPS": "--qps", "EXPORT_SPAN": "--span", "EXPORT_CHUNK_BYTES": "--chunk-bytes"}
	if flag, ok := flags[problem.Variable]; ok {
		return fmt.Errorf("%s %s", flag, problem.Problem)
	}
	return err
}

func (w *world) startChat(ctx context.Context, o options, c content, onCall func(chatemu.Call)) error {
	w.chat = chatemu.New(chatemu.Options{
		SDKAppID: sdkAppID, SecretKey: w.env["CHAT_SECRET_KEY"], QPS: o.qps, Latency: o.latency, OnCall: onCall,
	})
	if err := fill(w.chat, c); err != nil {
		return fmt.Errorf("fill the emulated groups: %w", err)
	}
	url, stop, err := w.chat.Start(ctx, "")
	if err != nil {
		return err
	}
	w.stops = append(w.stops, stop)
	w.env["CHAT_ENDPOINT"] = url
	return nil
}

// fill makes the groups. Everything about them follows from the content, so that the archive of an earlier start still
// is this app's.
func fill(s *chatemu.Server, c content) error {
	created := c.groups[0].messages[0].Time
	for _, g := range c.groups {
		kind := "Public"
		if g.stream.TopicID != "" {
			kind = "Community"
		}
		if err := s.AddGroup(chatemu.Group{ID: g.stream.GroupID, Name: g.stream.GroupID, Type: kind, CreateTime: created}); err != nil {
			return err
		}
		if g.stream.TopicID != "" {
			if err := s.AddTopic(chatemu.Topic{GroupID: g.stream.GroupID, ID: g.stream.TopicID, Name: "help"}); err != nil {
				return err
			}
		}
		if err := s.Append(g.stream, g.messages...); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) startCOS(o options) error {
	server, url, err := cosemu.Start(cosemu.Options{
		Root: o.out, Buckets: []cosemu.Bucket{{Name: bucket}}, Latency: o.latency,
		Credentials: cosemu.StaticCredential(w.env["TENCENTCLOUD_SECRETID"], cosemu.Credential{
			SecretKey: w.env["TENCENTCLOUD_SECRETKEY"], Token: w.env["TENCENTCLOUD_SESSIONTOKEN"],
		}),
	})
	if err != nil {
		return err
	}
	w.cos, w.env["COS_ENDPOINT"] = server, url
	w.stops = append(w.stops, server.Close)
	return nil
}

func (w *world) startCloud(ctx context.Context, o options) error {
	w.queue = cloudemu.NewQueue(cloudemu.QueueOptions{})
	w.cloud = cloudemu.New(cloudemu.Config{
		Credentials: []cloudemu.Credential{{
			SecretID: w.env["TENCENTCLOUD_SECRETID"], SecretKey: w.env["TENCENTCLOUD_SECRETKEY"], Token: w.env["TENCENTCLOUD_SESSIONTOKEN"],
		}},
		Region: region, Queue: w.queue,
		Functions: []cloudemu.Function{{Namespace: namespace, Name: functionName, Qualifier: version}},
		Fault:     func(*cloudemu.Call) *cloudemu.Fault { return &cloudemu.Fault{Delay: o.latency} },
	})
	url, err := w.cloud.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.env["CLOUD_ENDPOINT"] = url
	w.stops = append(w.stops, w.cloud.Close)
	return nil
}

func (w *world) close() error {
	var failures []error
	for _, stop := range slices.Backward(w.stops) {
		failures = append(failures, stop())
	}
	return errors.Join(failures...)
}
