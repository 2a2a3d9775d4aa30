package invocation_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
)

// marked is a message all of whose content can be told from everything else.
func marked(chat.Seq) chatemu.Message {
	return chatemu.Message{
		From: "MARKED-sender", CloudCustomData: "MARKED-data", Body: json.RawMessage(`[{"MsgType":"TIMTextElem","MsgContent":{"Text":"MARKED-text"}}]`),
		Extra: json.RawMessage(`{"MARKED-member":"MARKED-value"}`),
	}
}

// secrets are what must stand nowhere but in requests. A UserSig is compressed JSON in base64 and begins like the last.
func secrets() []string {
	return []string{world.SecretKey, world.CloudKey, world.Token, world.SecretID, "MARKED", "usersig=", "Authorization", "q-sign-", "eJw", "eJy"}
}

type leak struct {
	name  string
	chat  *chatemu.Fault
	cos   *cosemu.Fault
	cloud *cloudemu.Fault
	env   map[string]string
	quirk chatemu.Quirks
	works bool // the export does not fail
}

func leaks() []leak {
	quotes := func(format string) []byte {
		return fmt.Appendf(nil, format, `[{"MsgSeq":"MARKED-seq","MsgBody":"MARKED-text"}]`)
	}
	return []leak{
		{name: "success", works: true},
		{name: "Chat refuses connections", env: map[string]string{"CHAT_ENDPOINT": "http://127.0.0.1:1"}},
		{name: "Chat resets connections", chat: &chatemu.Fault{ResetBefore: true}},
		{name: "Chat resets connections after its work", chat: &chatemu.Fault{ResetAfter: true}},
		{name: "Chat never answers", chat: &chatemu.Fault{Hang: true}},
		{name: "Chat answers a gateway's page", chat: &chatemu.Fault{HTML: true, Status: 502}},
		{name: "Chat answers a page with status 200", chat: &chatemu.Fault{HTML: true}},
		{name: "Chat's answers break off", chat: &chatemu.Fault{BreakBody: true}},
		{name: "Chat's answers are cut", chat: &chatemu.Fault{TruncateBody: true}},
		{name: "Chat's elements are malformed", chat: &chatemu.Fault{Body: quotes(`{"ActionStatus":"OK","ErrorCode":0,"GroupId":"@TGS#1","IsFinished":1,"RspMsgList":%s}`)}},
		{name: "Chat's answers are no JSON", chat: &chatemu.Fault{Body: quotes("MARKED-text %s")}},
		{name: "Chat's elements have seqs that are strings", works: true, quirk: chatemu.Quirks{SeqAsString: true}},
		{name: "Chat's elements have no seq", quirk: chatemu.Quirks{MissingSeq: true}},
		{name: "Chat always sends the newest page", quirk: chatemu.Quirks{IgnoreSeq: true}},
		{name: "the signature is refused", env: map[string]string{"CHAT_SECRET_KEY": "MARKED-another-key"}},
		{name: "Chat has a code that nobody knows", chat: &chatemu.Fault{ErrorCode: 99999}},
		{name: "COS refuses connections", env: map[string]string{"COS_ENDPOINT": "http://127.0.0.1:1"}},
		{name: "COS resets connections", cos: &cosemu.Fault{Reset: true}},
		{name: "COS loses answers", cos: &cosemu.Fault{LoseAnswer: true}},
		{name: "COS never answers", cos: &cosemu.Fault{Hang: true}},
		{name: "COS denies access", cos: &cosemu.Fault{Status: 403, Code: "AccessDenied"}},
		{name: "COS quotes the request", cos: &cosemu.Fault{Status: 403, Code: "SignatureDoesNotMatch", Message: "q-sign-algorithm=sha1&q-ak=" + world.SecretID + " token " + world.Token}},
		{name: "COS is busy", cos: &cosemu.Fault{Status: 503, Code: "SlowDown"}},
		{name: "the cloud API refuses connections", env: map[string]string{"CLOUD_ENDPOINT": "http://127.0.0.1:1"}},
		{name: "the cloud API resets connections", cloud: &cloudemu.Fault{Reset: true}},
		{name: "the cloud API never answers", cloud: &cloudemu.Fault{Hang: true}},
		{name: "the cloud API answers a gateway's page", cloud: &cloudemu.Fault{HTML: true}},
		{name: "the cloud API refuses", cloud: &cloudemu.Fault{Code: "UnauthorizedOperation.CAM"}},
	}
}

// Whatever happens, no secret and nothing of a message stands in a log line, an error, an answer or a state.
func TestSecrets_AreToldToNobody(t *testing.T) {
	t.Parallel()
	for _, tc := range leaks() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, tc.try)
		})
	}
}

func (l *leak) try(t *testing.T) {
	env := map[string]string{"LOG_LEVEL": "debug", "CHAT_CONCURRENCY": "1"}
	maps.Copy(env, l.env)
	o := world.Options{TimeLimit: 2 * time.Second, Env: env}
	o.Chat.Latency, o.Chat.Quirks = 250*time.Millisecond, l.quirk
	if l.chat != nil {
		o.Chat.Fault = chatemu.FaultIf(func(c chatemu.Call) bool { return c.N > 1 }, *l.chat)
	}
	if l.cos != nil {
		o.COS.Fault = func(r *cosemu.Request) *cosemu.Fault {
			if r.Op == cosemu.OpGetVersioning {
				return nil
			}
			return l.cos
		}
	}
	if l.cloud != nil {
		o.Cloud = func(*cloudemu.Call) *cloudemu.Fault { return l.cloud }
	}
	s := newSite(t, o)
	stream := chat.Stream{GroupID: "@TGS#1"}
	must(t, s.Chat.AddGroup(chatemu.Group{ID: stream.GroupID}))
	must(t, s.Chat.Generate(stream, 300, marked))
	var told []string
	for _, payload := range [][]byte{s.Timer(stream), ckafka("@TGS#1", `{"group_id":"MARKED`)} {
		out, err := s.only("request", payload)
		told = append(told, out, fmt.Sprint(err), fmt.Sprintf("%+v %#v", err, err))
	}
	s.COS.SetFault(nil)
	told = append(told, s.Logs.String())
	if body, _, err := s.Store.Get(t.Context(), layout.State(stream)); err == nil {
		told = append(told, string(body))
	}
	failed := strings.Contains(s.Logs.String(), `"outcome":"error"`)
	if l.works == failed {
		t.Errorf("failed: %v; the test means the contrary", failed)
	}
	for _, text := range told {
		for _, secret := range secrets() {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s is told: %.300s", secret, text[max(0, at-200):])
			}
		}
	}
}
