// Package emulated starts the function's surroundings on loopback, for the commands that need no account: Chat, the host of
// its messages' files, COS and the cloud API, with keys that are good for nothing else.
//
// It owns their life. What is in them, and what a command does with them, is the command's.
package emulated

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
)

// What exists in them.
const (
	SDKAppID = 1400000001
	Bucket   = "chat-archive-1250000000"
	Region   = "ap-guangzhou"
)

// Env returns the variables that name app and bucket, with new keys. Start adds the endpoints.
func Env() map[string]string {
	return map[string]string{
		"CHAT_SDKAPPID": strconv.Itoa(SDKAppID), "CHAT_SECRET_KEY": rand.Text(), "COS_BUCKET": Bucket, "COS_REGION": Region,
		"TENCENTCLOUD_SECRETID": "AKID" + rand.Text(), "TENCENTCLOUD_SECRETKEY": rand.Text(), "TENCENTCLOUD_SESSIONTOKEN": rand.Text(),
	}
}

// Options say what the services are like.
type Options struct {
	Folder    string              // of the bucket's folder
	Latency   time.Duration       // of Chat, files and COS
	Cloud     time.Duration       // latency of the cloud API
	Chat      chatemu.Options     // but for app, key, latency and signatures
	Files     string              // loopback address of the files' host, which their URLs name; empty: any free port
	Fill      Fill                // puts groups into the app before it listens
	COSLog    int                 // requests that are kept; 0: the emulator's default
	Functions []cloudemu.Function // empty: any
}

// Fill puts groups into an app, and the files of their messages on the host.
type Fill func(app *chatemu.Server, host *mediaemu.Server) error

// Services are the emulators, listening, and the queue that they feed, which ends with the process.
type Services struct {
	Chat  *chatemu.Server
	Files *mediaemu.Server // signs for the Chat service
	COS   *cosemu.Server
	Queue *cloudemu.Queue

	stops []func() error
}

// Start starts the services for a function with these variables, to which it adds the endpoints. Close ends them; an
// interruption of ctx does not, since an invocation that is cancelled still has last words.
func Start(ctx context.Context, env map[string]string, o Options) (_ *Services, err error) {
	s := &Services{Queue: cloudemu.NewQueue(cloudemu.QueueOptions{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	ctx = context.WithoutCancel(ctx)
	if err := s.startChat(ctx, env, o); err != nil {
		return nil, err
	}

	id, key, token := env["TENCENTCLOUD_SECRETID"], env["TENCENTCLOUD_SECRETKEY"], env["TENCENTCLOUD_SESSIONTOKEN"]
	s.COS, env["COS_ENDPOINT"], err = cosemu.Start(cosemu.Options{ //nolint:contextcheck // ended by Close
		Root: o.Folder, Buckets: []cosemu.Bucket{{Name: Bucket}}, Latency: o.Latency, LogSize: o.COSLog,
		Credentials: cosemu.StaticCredential(id, cosemu.Credential{SecretKey: key, Token: token}),
	})
	if err != nil {
		return nil, err
	}
	s.stops = append(s.stops, s.COS.Close)

	cloud := cloudemu.New(cloudemu.Config{
		Credentials: []cloudemu.Credential{{SecretID: id, SecretKey: key, Token: token}}, Region: Region, Queue: s.Queue, Functions: o.Functions,
		Fault: func(*cloudemu.Call) *cloudemu.Fault { return &cloudemu.Fault{Delay: o.Cloud} },
	})
	if env["CLOUD_ENDPOINT"], err = cloud.Listen(ctx, ""); err != nil {
		return nil, err
	}
	s.stops = append(s.stops, cloud.Close)
	return s, nil
}

// startChat starts the app and the host of its files. The host listens first: messages have its address in them.
func (s *Services) startChat(ctx context.Context, env map[string]string, o Options) error {
	s.Files = mediaemu.New(mediaemu.Options{Latency: o.Latency})
	_, stop, err := s.Files.Start(ctx, o.Files)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, stop)
	env["MEDIA_HOSTS"] = "127.0.0.1"

	o.Chat.SDKAppID, o.Chat.SecretKey, o.Chat.Latency, o.Chat.SignURL = SDKAppID, env["CHAT_SECRET_KEY"], o.Latency, s.Files.Sign
	s.Chat = chatemu.New(o.Chat)
	if err := o.Fill(s.Chat, s.Files); err != nil {
		return fmt.Errorf("fill the emulated groups: %w", err)
	}
	if env["CHAT_ENDPOINT"], stop, err = s.Chat.Start(ctx, ""); err != nil {
		return err
	}
	s.stops = append(s.stops, stop)
	return nil
}

// Close ends them.
func (s *Services) Close() error {
	var failures []error
	for _, stop := range slices.Backward(s.stops) {
		failures = append(failures, stop())
	}
	return errors.Join(failures...)
}
