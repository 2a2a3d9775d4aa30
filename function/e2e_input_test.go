package main_test

import (
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/emulator/world"
	"chatexport/internal/event"
	"chatexport/testdata"
)

// rejected counts the objects below rejected/.
func (s *stage) rejected() int {
	s.t.Helper()
	n := 0
	for _, err := range s.Store.List(s.t.Context(), "rejected/", "") {
		if err != nil {
			s.t.Fatal(err)
		}
		n++
	}
	return n
}

// Whatever comes, the process neither panics nor exits, and what cannot be understood is kept.
func TestGoldenEvents_SucceedInOneProcess(t *testing.T) {
	t.Parallel()
	s := begin(t, world.Options{TimeLimit: 20 * time.Second, Env: map[string]string{"CHAT_QPS": "200"}}, scfemu.Config{})
	names, err := fs.Glob(testdata.Events(), "*.json")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	want := 0
	payloads := [][]byte{nil, []byte("\x00\xff"), []byte(strings.Repeat("[", 1<<17)), []byte(`{"Records":null}`), []byte(`{"Type":"Timer"}`)}
	for _, name := range names {
		if strings.Contains(name, "sweep") {
			continue
		}
		payload, err := fs.ReadFile(testdata.Events(), name)
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, payload)
	}
	for _, payload := range payloads {
		want += len(event.Decode(payload).Rejected)
		s.Push(payload)
	}
	s.mustServe()
	if got := s.rejected(); got != want || want < 15 {
		t.Errorf("%d rejected objects, want %d", got, want)
	}
	if s.platform.Starts() != 1 {
		t.Errorf("%d processes; one should have served everything", s.platform.Starts())
	}
}

// What an operator got wrong is in the error that the platform shows, all of it.
func TestSetup_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		environment map[string]string
		credentials func() scfemu.Credentials
		want        []string
	}{
		"no configuration": {map[string]string{}, nil, []string{"CHAT_SDKAPPID: is not set", "CHAT_SECRET_KEY: is not set", "COS_BUCKET: is not set", "COS_REGION: is not set"}},
		"no role":          {nil, func() scfemu.Credentials { return scfemu.Credentials{} }, []string{"TENCENTCLOUD_SECRETID", "execution role", "serverless.yml"}},
		"expired role":     {nil, func() scfemu.Credentials { return scfemu.Credentials{SecretID: "AKIDold", SecretKey: "old"} }, []string{"preflight", "InvalidAccessKeyId"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, world.Options{}, scfemu.Config{Environment: tc.environment, Credentials: tc.credentials})
			s.Push(s.Timer(chat.Stream{GroupID: "@TGS#1"}))
			served := s.serve()
			if len(served) != 3 || len(s.Queue.Dead()) != 1 {
				t.Errorf("%d deliveries, %d dead letters", len(served), len(s.Queue.Dead()))
			}
			v := served[0]
			for _, want := range tc.want {
				if v.Status != scfemu.StatusUserError || !strings.Contains(v.Error, want) || !strings.Contains(strings.Join(v.Logs, "\n"), want) {
					t.Errorf("status %d, error %q, logs %q; want %q in both", v.Status, v.Error, v.Logs, want)
				}
			}
		})
	}
}

func TestSecrets_AreToldToNobody(t *testing.T) {
	t.Parallel()
	const closed = "http://127.0.0.1:1"
	for name, o := range map[string]world.Options{
		"success":                 {},
		"Chat refuses":            {Env: map[string]string{"CHAT_ENDPOINT": closed}},
		"Chat resets":             {Chat: chatemu.Options{Fault: chatemu.FaultEvery(1, chatemu.Fault{ResetBefore: true})}},
		"Chat hangs":              {Chat: chatemu.Options{Fault: chatemu.FaultEvery(2, chatemu.Fault{Hang: true})}},
		"Chat answers HTML":       {Chat: chatemu.Options{Fault: chatemu.FaultEvery(1, chatemu.Fault{HTML: true, Status: 502})}},
		"Chat's pages break off":  {Chat: chatemu.Options{Fault: chatemu.FaultEvery(1, chatemu.Fault{TruncateBody: true})}},
		"COS refuses":             {Env: map[string]string{"COS_ENDPOINT": closed}},
		"COS resets":              {COS: cosemu.Options{Fault: onPut(&cosemu.Fault{Reset: true})}},
		"COS hangs":               {COS: cosemu.Options{Fault: onPut(&cosemu.Fault{Hang: true})}},
		"COS denies":              {COS: cosemu.Options{Fault: onPut(&cosemu.Fault{Status: 403, Code: "AccessDenied"})}},
		"the cloud API refuses":   {Env: map[string]string{"CLOUD_ENDPOINT": closed}},
		"the cloud API resets":    {Cloud: always(&cloudemu.Fault{Reset: true})},
		"the cloud API hangs":     {Cloud: always(&cloudemu.Fault{Hang: true})},
		"the cloud API says HTML": {Cloud: always(&cloudemu.Fault{HTML: true})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"LOG_LEVEL": "debug", "CHAT_QPS": "10"}
			maps.Copy(env, o.Env)
			o.Env = env
			o.Queue.Retries = -1
			s := begin(t, o, scfemu.Config{})
			group := chat.Stream{GroupID: "@TGS#1"}
			if err := s.Chat.AddGroup(chatemu.Group{ID: group.GroupID}); err != nil {
				t.Fatal(err)
			}
			if err := s.Chat.Generate(group, 250, func(chat.Seq) chatemu.Message {
				return chatemu.Message{From: "MARKED-sender", Body: []byte(`[{"MsgType":"TIMTextElem","MsgContent":{"Text":"MARKED-text"}}]`)}
			}); err != nil {
				t.Fatal(err)
			}
			s.Push(s.Timer(group))
			failed := false
			for _, v := range s.serve() {
				failed = failed || v.Status != scfemu.StatusOK && (name != "success" || !late(v))
				if v.Status == scfemu.StatusExited { // a kill at the limit is the busy machine's: 50 ms are left to answer in
					t.Errorf("status %d: %s", v.Status, v.Error)
				}
				told := strings.Join(append(append([]string{v.Error, string(v.Response)}, v.Logs...), v.Stderr...), "\n")
				for _, secret := range []string{world.SecretKey, world.CloudKey, world.Token, world.SecretID, "MARKED", "usersig=", "Authorization", "q-sign-", "eJw", "eJy"} {
					if at := strings.Index(told, secret); at >= 0 {
						t.Errorf("%s is told: %.300s", secret, told[max(0, at-200):])
					}
				}
			}
			if failed == (name == "success") {
				t.Errorf("failed: %v; the test means the contrary", failed)
			}
		})
	}
}

func onPut(f *cosemu.Fault) cosemu.FaultFunc {
	return func(r *cosemu.Request) *cosemu.Fault {
		if r.Op != cosemu.OpPut {
			return nil
		}
		return f
	}
}

func always(f *cloudemu.Fault) func(*cloudemu.Call) *cloudemu.Fault {
	return func(*cloudemu.Call) *cloudemu.Fault { return f }
}
