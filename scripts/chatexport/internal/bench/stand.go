package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/event"
	"chatexport/scripts/chatexport/internal/emulated"
	"chatexport/testdata"
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
	*emulated.Services
	platform *scfemu.Platform
	env      map[string]string
	role     scfemu.Credentials
}

// newStand starts the emulators and fills the groups; binary is the built function.
func newStand(ctx context.Context, binary, folder string, s setting, fill emulated.Fill) (_ *stand, err error) {
	st := &stand{setting: s}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close())
		}
	}()
	st.env = emulated.Env()
	st.env["CHAT_QPS"] = strconv.Itoa(s.QPS)
	maps.Copy(st.env, s.Env)
	st.Services, err = emulated.Start(ctx, st.env, emulated.Options{
		Folder: folder, Latency: s.Latency, Fill: fill, COSLog: 1,
		Chat: chatemu.Options{QPS: s.Quota, QPSBurst: 20, QPSStrict: s.Strict, KeepCalls: 1},
	})
	if err != nil {
		return nil, err
	}
	st.role = scfemu.Credentials{
		SecretID: st.env["TENCENTCLOUD_SECRETID"], SecretKey: st.env["TENCENTCLOUD_SECRETKEY"], Token: st.env["TENCENTCLOUD_SESSIONTOKEN"],
	}
	maps.DeleteFunc(st.env, func(name, _ string) bool { return strings.HasPrefix(name, "TENCENTCLOUD_") }) // set by the platform
	st.platform, err = scfemu.New(scfemu.Config{
		Binary: binary, Environment: st.env, MemoryMB: s.Memory, TimeLimit: s.Limit, Instances: max(1, s.Instances), Region: emulated.Region,
		Credentials: func() scfemu.Credentials { return st.role },
	})
	return st, err
}

func (s *stand) close() error {
	var failure error
	if s.platform != nil {
		failure = s.platform.Close()
	}
	if s.Services != nil {
		failure = errors.Join(failure, s.Close())
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
		if _, err := s.Queue.Push(task); err != nil {
			return err
		}
	}
	if err := s.platform.Run(ctx, s.Queue); err != nil {
		return err
	}
	if dead := s.Queue.Dead(); len(dead) > 0 {
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
	Files     int64  `json:"files"`
	FileBytes int64  `json:"file_bytes"`
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
