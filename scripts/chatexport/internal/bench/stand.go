package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/event"
	"chatexport/testdata"
)

const (
	sdkAppID = 1400000002
	bucket   = "bench-1250000000"
	region   = "ap-guangzhou"
)

// setting is what the surroundings of a measurement are like.
type setting struct {
	Latency time.Duration // round trip to every service
	Quota   int           // calls a second of the app; 0 for none
	Strict  bool          // the quota is a sliding second; else a token bucket of depth 20
	QPS     int           // the function's CHAT_QPS
	Env     map[string]string
	Memory  int // MB of the function
	Limit   time.Duration
	// Instances is how many instances of the function run at once, each with an event of its own.
	Instances int
}

// stand is the emulated surroundings of one measurement, with the built function on its platform.
type stand struct {
	setting
	chat     *chatemu.Server
	cos      *cosemu.Server
	queue    *cloudemu.Queue
	platform *scfemu.Platform
	env      map[string]string
	stops    []func() error
}

// newStand starts the emulators and fills the groups; binary is the built function.
func newStand(ctx context.Context, binary, folder string, s setting, fill func(*chatemu.Server) error) (_ *stand, err error) {
	st := &stand{setting: s}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close())
		}
	}()
	secret, id, key, token := rand.Text(), "AKID"+rand.Text(), rand.Text(), rand.Text()
	st.chat = chatemu.New(chatemu.Options{
		SDKAppID: sdkAppID, SecretKey: secret, Latency: s.Latency, QPS: s.Quota, QPSBurst: 20, QPSStrict: s.Strict, KeepCalls: 1,
	})
	if err := fill(st.chat); err != nil {
		return nil, fmt.Errorf("fill the emulated groups: %w", err)
	}
	chatURL, stop, err := st.chat.Start(ctx, "")
	if err != nil {
		return nil, err
	}
	st.stops = append(st.stops, stop)
	cos, cosURL, err := cosemu.Start(cosemu.Options{ //nolint:contextcheck // ended by Close
		Root: folder, Buckets: []cosemu.Bucket{{Name: bucket}}, Latency: s.Latency, LogSize: 1,
		Credentials: cosemu.StaticCredential(id, cosemu.Credential{SecretKey: key, Token: token}),
	})
	if err != nil {
		return nil, err
	}
	st.cos, st.stops = cos, append(st.stops, cos.Close)
	st.queue = cloudemu.NewQueue(cloudemu.QueueOptions{})
	cloud := cloudemu.New(cloudemu.Config{
		Credentials: []cloudemu.Credential{{SecretID: id, SecretKey: key, Token: token}}, Region: region, Queue: st.queue,
	})
	cloudURL, err := cloud.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	st.stops = append(st.stops, cloud.Close)
	st.env = map[string]string{
		"CHAT_SDKAPPID": strconv.Itoa(sdkAppID), "CHAT_SECRET_KEY": secret, "CHAT_ENDPOINT": chatURL, "CHAT_QPS": strconv.Itoa(s.QPS),
		"COS_BUCKET": bucket, "COS_REGION": region, "COS_ENDPOINT": cosURL, "CLOUD_ENDPOINT": cloudURL,
	}
	maps.Copy(st.env, s.Env)
	st.platform, err = scfemu.New(scfemu.Config{
		Binary: binary, Environment: st.env, MemoryMB: s.Memory, TimeLimit: s.Limit, Instances: max(1, s.Instances), Region: region,
		Credentials: func() scfemu.Credentials { return scfemu.Credentials{SecretID: id, SecretKey: key, Token: token} },
	})
	if err != nil {
		return nil, err
	}
	st.stops = append(st.stops, st.platform.Close)
	return st, nil
}

func (s *stand) close() error {
	var failure error
	for _, stop := range slices.Backward(s.stops) {
		failure = errors.Join(failure, stop())
	}
	return failure
}

// run fires one event for each stream and serves the queue until it is empty.
func (s *stand) run(ctx context.Context, streams ...chat.Stream) error {
	for _, stream := range streams {
		task, err := event.For(stream).Encode()
		if err != nil {
			return fmt.Errorf("encode task: %w", err)
		}
		if _, err := s.queue.Push(task); err != nil {
			return err
		}
	}
	if err := s.platform.Run(ctx, s.queue); err != nil {
		return err
	}
	if dead := s.queue.Dead(); len(dead) > 0 {
		return fmt.Errorf("an event was given up: %s", dead[0].Reason)
	}
	return nil
}

// batch is the function's own summary line of a batch, as far as it is measured.
type batch struct {
	Message   string `json:"message"`
	GroupID   string `json:"group_id"`
	Messages  int64  `json:"messages"`
	Calls     int64  `json:"calls"`
	Throttled int64  `json:"throttled"`
	Bytes     int64  `json:"bytes"`
	Outcome   string `json:"outcome"`
}

func (s *stand) batches() []batch {
	var batches []batch
	for _, line := range s.platform.Logs() {
		var b batch
		if json.Unmarshal([]byte(line), &b) == nil && b.Message == "batch" {
			batches = append(batches, b)
		}
	}
	return batches
}

// readLog reads the messages of a chat log: a file, or the excerpt that comes with the project.
func readLog(path string) ([]chatemu.Message, error) {
	lines := testdata.ChatLog()
	if path != "" {
		var err error
		if lines, err = chatemu.ReadLog(path); err != nil {
			return nil, err
		}
	}
	return chatemu.ParseLog(lines)
}

// repeat fills a group with n messages of the log, from its beginning again where it is too short.
func repeat(server *chatemu.Server, s chat.Stream, log []chatemu.Message, n int) error {
	if err := server.AddGroup(chatemu.Group{ID: s.GroupID}); err != nil {
		return err
	}
	return server.Generate(s, n, func(seq chat.Seq) chatemu.Message {
		m := log[int(seq-1)%len(log)]
		m.Time = 1_100_000_000 + int64(seq)
		return m
	})
}
