package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/dirstore"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/target"
)

// TestMain makes this binary the command chatexport wherever it is called by that name: in scripts, and in the README.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"chatexport": main})
}

// The scripts run command lines on archives in folders, and in worlds of emulators. Beside testscript's own commands
// they have:
//
//	exits CODE COMMAND...     expects that exit code
//	sound DIR ID              archives a stream in a folder, see clitest.Sound
//	filed DIR ID              archives a stream with files in a folder, see clitest.Filed
//	linked DIR ID             archives a stream with files of every kind, see clitest.Files
//	looked DIR ID             archives a stream that was looked at again in a folder, see clitest.Looked
//	changed DIR ID            archives a stream that looks found changed in a folder, see clitest.Changed
//	state DIR ID NAME=VALUE   changes a stream's state; where there is none it archives 20 messages first. DIR bucket is
//	                          the world's bucket. Names: status, error (a code), head, age and lease (durations),
//	                          media and look (codes), corrupt (a seq: as a batch leaves it that finds its own chunk there to be another)
//	hash NAME FILE            puts a file's sha256 into a variable
//	mirror FROM TO            copies a folder of objects as any tool would: their bytes alone
//	world [NAME=VALUE]...     starts a world, whose bucket is the folder cos/archive-1250000000; its variables are those of the script from there on
//	dotenv FILE               moves the world's variables into a file, named as the deployment names them
//	group ID N [TYPE]         adds a group, or a topic of a community, with N messages
//	send ID N                 sends N more
//	share ID NAME [HOW]       sends a file, whose content is its name; HOW is signed, gone or later
//	spoil ID SEQ...           makes messages unreadable, and with them every answer that they are in
//	change edits|recalls|removes ID SEQ...   as users do
//	tick ID...                fires a timer and lets the function work until its queue is empty
//	calls N                   waits until Chat has been called N times
//	queued N                  expects N events in the function's queue
//	serve                     lets the function work until its queue is empty
//	archived ID SEQ           proves a stream's archive in the bucket, and that it reaches up to SEQ
func TestScript(t *testing.T) {
	t.Parallel()
	commands := map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "hash": hash, "mirror": mirror}
	for name, run := range map[string]func(*scene, []string){
		"sound": (*scene).sound, "filed": (*scene).filed, "linked": (*scene).linked, "looked": (*scene).looked, "changed": (*scene).changed, "state": (*scene).state, "world": (*scene).begin, "dotenv": (*scene).dotenv, "group": (*scene).group,
		"send": (*scene).send, "share": (*scene).share, "spoil": (*scene).spoil, "change": (*scene).change, "tick": (*scene).tick, "calls": (*scene).calls, "queued": (*scene).queued, "serve": (*scene).serve, "archived": (*scene).archived,
	} {
		commands[name] = func(ts *testscript.TestScript, _ bool, args []string) {
			s := ts.Value(sceneKey{}).(*scene)
			s.TestScript = ts
			run(s, args)
		}
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Cmds: commands, Setup: func(e *testscript.Env) error {
		e.Values[sceneKey{}] = &scene{
			t: e.T().(testing.TB), folders: map[string]*dirstore.Store{}, sent: time.Now().Add(-5 * time.Minute).Unix(),
		}
		return nil
	}})
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func hash(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], archivetest.Hash([]byte(ts.ReadFile(args[1]))))
}

func mirror(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(ts.MkAbs(args[0]))))
	ts.Check(os.RemoveAll(filepath.Join(ts.MkAbs(args[1]), ".chatexport")))
}

// scene is where a script plays.
type scene struct {
	*testscript.TestScript

	t       testing.TB
	folders map[string]*dirstore.Store
	world   *world.World  // nil until the script begins one
	called  chan struct{} // a call of its Chat each
	sent    int64         // when messages are sent: not so late that they are on their way, nor so early that they expire
}

type sceneKey struct{}

func (s *scene) number(text string) int {
	n, err := strconv.Atoi(text)
	s.Check(err)
	return n
}

func (s *scene) stream(id string) chat.Stream {
	stream, err := target.Stream(id)
	s.Check(err)
	return stream
}

// store is what the state is read from and written to.
type store interface {
	archivetest.Store
	Get(ctx context.Context, key string) ([]byte, objstore.Object, error)
}

func (s *scene) open(dir string) store {
	if dir == "bucket" {
		return s.world.Store
	}
	if s.folders[dir] == nil {
		folder, err := dirstore.Create(s.MkAbs(dir))
		s.Check(err)
		s.Defer(func() { _ = folder.Close() })
		s.folders[dir] = folder
	}
	return s.folders[dir]
}

func (s *scene) sound(args []string) { clitest.Sound(s.t, s.open(args[0]), s.stream(args[1])) }

func (s *scene) changed(args []string) {
	clitest.Changed(s.t, s.open(args[0]), s.stream(args[1]))
}

func (s *scene) filed(args []string) { clitest.Filed(s.t, s.open(args[0]), s.stream(args[1])) }

func (s *scene) linked(args []string) { clitest.Files(s.t, s.open(args[0]), s.stream(args[1])) }

func (s *scene) looked(args []string) { clitest.Looked(s.t, s.open(args[0]), s.stream(args[1])) }

func (s *scene) state(args []string) {
	at, stream := s.open(args[0]), s.stream(args[1])
	body, _, err := at.Get(s.t.Context(), layout.State(stream))
	if errors.Is(err, objstore.ErrNotExist) {
		b := clitest.Build(s.t, at, stream)
		b.Messages(20, 1)
		b.Manifest(archive.StatusComplete)
		b.State(nil)
		body, _, err = at.Get(s.t.Context(), layout.State(stream))
	}
	s.Check(err)
	state, err := archive.ParseState(body)
	s.Check(err)
	for _, arg := range args[2:] {
		s.set(&state, arg)
	}
	body, err = state.Encode()
	s.Check(err)
	_, err = at.Overwrite(s.t.Context(), layout.State(stream), objstore.Write{Body: body, ContentType: archive.JSONContentType})
	s.Check(err)
}

func (s *scene) set(state *archive.State, arg string) {
	now := time.Now()
	duration := func(text string) time.Duration {
		d, err := time.ParseDuration(text)
		s.Check(err)
		return d
	}
	switch name, value, _ := strings.Cut(arg, "="); name {
	case "status":
		state.Status = value
	case "head":
		state.Head = chat.Seq(s.number(value))
	case "age":
		state.UpdatedAt = now.Add(-duration(value))
	case "lease":
		state.Lease = &archive.Lease{Owner: "o", Until: now.Add(duration(value))}
	case "corrupt":
		lo := chat.Seq(s.number(value))
		*state = archive.State{
			Format: archive.Format, Frontier: lo, Head: state.Head, Status: archive.StatusDamaged, UpdatedAt: now,
			Error: &archive.StateError{Code: archive.CodeChunkCorrupt, Text: "the cause", At: now, Frontier: lo, CRC64: "1"},
		}
	case "media":
		state.Media.Code = value
	case "look":
		state.Look.Code = value
	case "error":
		state.Error = &archive.StateError{Code: value, Text: "the cause", At: state.UpdatedAt, Frontier: state.Frontier}
	default:
		s.Fatalf("a state has no %s", name)
	}
}

func (s *scene) begin(args []string) {
	s.called = make(chan struct{}, 1000)
	s.world = world.New(s.t, world.Options{COS: cosemu.Options{Root: s.MkAbs("cos")}, Chat: chatemu.Options{OnCall: func(chatemu.Call) {
		select {
		case s.called <- struct{}{}:
		default: // nobody will wait for so many
		}
	}}})
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		s.world.Env[name] = value
	}
	for name, value := range s.world.Env {
		s.Setenv(name, value)
	}
}

func (s *scene) dotenv(args []string) {
	names := strings.NewReplacer(
		"TENCENTCLOUD_SECRETID", "TENCENT_SECRET_ID", "TENCENTCLOUD_SECRETKEY", "TENCENT_SECRET_KEY", "TENCENTCLOUD_SESSIONTOKEN", "TENCENT_TOKEN")
	var lines bytes.Buffer
	for name, value := range s.world.Env {
		lines.WriteString(names.Replace(name) + "='" + value + "'\n")
		s.Setenv(name, "")
	}
	s.Check(os.WriteFile(s.MkAbs(args[0]), lines.Bytes(), 0o600))
}

func (s *scene) group(args []string) {
	stream, n := s.stream(args[0]), s.number(args[1])
	switch {
	case stream.TopicID != "":
		s.world.Topic(stream.GroupID, stream.TopicID, n)
	case len(args) > 2:
		s.Check(s.world.Chat.AddGroup(chatemu.Group{ID: stream.GroupID, Type: args[2]}))
	default:
		s.world.Group(stream.GroupID, 0)
		s.send(args)
	}
}

func (s *scene) send(args []string) {
	s.Check(s.world.Chat.Generate(s.stream(args[0]), s.number(args[1]), func(seq chat.Seq) chatemu.Message {
		m := chatemu.Varied(seq)
		m.Time = s.sent
		return m
	}))
}

func (s *scene) share(args []string) {
	spec := mediaemu.Spec{Content: mediaemu.Bytes([]byte(args[1])), Type: "text/plain", Name: args[1]}
	switch strings.Join(args[2:], " ") {
	case "signed":
		spec.Access = mediaemu.Signed403
	case "gone":
		spec.Missing = true
	case "later":
		spec.Troubles = []mediaemu.Trouble{{Times: -1, Status: http.StatusServiceUnavailable}}
	}
	f := s.world.Media.Add(spec)
	body := chatemu.MsgBody(chatemu.FileElem(chatemu.Media{URL: f.URL(), Name: args[1], Size: f.Size()}))
	s.Check(s.world.Chat.Append(s.stream(args[0]), chatemu.Message{From: "user1", Time: s.sent, Body: body}))
}

func (s *scene) spoil(args []string) {
	for _, seq := range args[1:] {
		s.Check(s.world.Chat.Poison(s.stream(args[0]), chatemu.PoisonControl, chat.Seq(s.number(seq))))
	}
}

func (s *scene) change(args []string) {
	stream := s.stream(args[1])
	for _, arg := range args[2:] {
		seq := chat.Seq(s.number(arg))
		switch args[0] {
		case "edits":
			s.Check(s.world.Chat.Modify(stream, seq, chatemu.MsgBody(chatemu.TextElem("edited"))))
		case "recalls":
			s.Check(s.world.Chat.Recall(stream, seq))
		default:
			s.Check(s.world.Chat.Delete(stream, seq))
		}
	}
}

func (s *scene) tick(ids []string) {
	streams, err := target.Streams(ids)
	s.Check(err)
	s.world.Tick(streams...)
}

func (s *scene) calls(args []string) {
	for range s.number(args[0]) {
		<-s.called
	}
}

func (s *scene) queued(args []string) {
	if n, _ := s.world.Queue.Len(); n != s.number(args[0]) {
		s.Fatalf("%d events are queued", n)
	}
}

func (s *scene) serve([]string) {
	_, failures := s.world.Drain(s.world.Instance())
	s.Check(errors.Join(failures...))
}

func (s *scene) archived(args []string) {
	if report := s.world.Verify(s.stream(args[0])); int(report.Hi) != s.number(args[1]) {
		s.Fatalf("archived to %d", report.Hi)
	}
}
