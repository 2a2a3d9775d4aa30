package chatapi_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/retry"
)

const (
	plain     = "@TGS#1NVTZEAE4"
	community = "@TGS#_@TGS#cQVLVHIM62CJ"
	topicID   = community + "@TOPIC#_@TOPIC#cRTE3HIM62C5"
)

// newApp starts an emulated app with a group of 45 messages, a community with a topic of 3, and a room without history.
func newApp(t *testing.T, options chatemu.Options) (*chatemu.Server, *chatapi.Client) {
	t.Helper()
	options.SDKAppID, options.SecretKey, options.Admins, options.ListQPS = appID, key, []string{admin}, -1
	app := chatemu.New(options)
	topic := chat.Stream{GroupID: community, TopicID: topicID}
	for _, err := range []error{
		app.AddGroup(chatemu.Group{ID: plain, Type: "Public", Name: "plain", Owner: "o", CreateTime: 1700000000, MemberNum: 7}),
		app.AddGroup(chatemu.Group{ID: community, Type: "Community", Name: "community", SupportTopics: true}),
		app.AddGroup(chatemu.Group{ID: "@TGS#aROOM", Type: "AVChatRoom"}),
		app.AddTopic(chatemu.Topic{GroupID: community, ID: topicID, Name: "topic", CreateTime: 1700000001}),
		app.Generate(chat.Stream{GroupID: plain}, 45, chatemu.Varied),
		app.Generate(topic, 3, chatemu.Varied),
	} {
		if err != nil {
			t.Fatalf("fill the app: %v", err)
		}
	}
	return app, newClient(t, app.StartT(t), nil)
}

func TestAnEmulatedAppIsReadWhole(t *testing.T) {
	t.Parallel()
	_, client := newApp(t, chatemu.Options{})
	for stream, newest := range map[chat.Stream]chat.Seq{
		{GroupID: plain}:                       45,
		{GroupID: community, TopicID: topicID}: 3,
	} {
		group, err := client.Group(t.Context(), stream)
		if err != nil || group.NextSeq != newest+1 || group.CreateTime < 1700000000 {
			t.Errorf("%v: group %+v: %v", stream, group, err)
		}
		var seqs []chat.Seq
		for seq := chat.Seq(0); ; {
			page, err := client.Page(t.Context(), chat.Query{Stream: stream, Seq: seq, Number: chat.PageSize})
			if err != nil {
				t.Fatalf("%v: page at %d: %v", stream, seq, err)
			}
			for _, element := range page.Elements {
				seqs = append(seqs, element.Seq)
			}
			if seq = newest - chat.Seq(len(seqs)); seq < 1 {
				break
			}
		}
		slices.Sort(seqs)
		if len(seqs) != int(newest) || seqs[0] != 1 || seqs[len(seqs)-1] != newest {
			t.Errorf("%v: seqs %v, want 1 to %d", stream, seqs, newest)
		}
	}
}

func TestAnEmulatedAppIsListed(t *testing.T) {
	t.Parallel()
	_, client := newApp(t, chatemu.Options{})
	var ids []string
	for next, calls := uint64(0), 0; ; calls++ {
		page, following, err := client.GroupIDs(t.Context(), next, 1, "")
		if err != nil || calls > 5 {
			t.Fatalf("list after %d calls: %v", calls, err)
		}
		ids = append(ids, page...)
		if next = following; next == 0 {
			break
		}
	}
	slices.Sort(ids)
	if diff := cmp.Diff([]string{plain, community, "@TGS#aROOM"}, ids); diff != "" {
		t.Errorf("all groups (-want +got):\n%s", diff)
	}
	public, _, err := client.GroupIDs(t.Context(), 0, 100, "Public")
	if diff := cmp.Diff([]string{plain}, public); diff != "" || err != nil {
		t.Errorf("public groups (-want +got):\n%s%v", diff, err)
	}
	infos, err := client.GroupInfos(t.Context(), []string{community, plain})
	if err != nil || infos[0].Type != "Community" || infos[0].NoTopics || infos[1].Name != "plain" ||
		infos[1].NextSeq != 46 || infos[1].Members != 7 || infos[1].Owner != "o" || infos[1].LastTime < 1700000000 {
		t.Errorf("infos %+v: %v", infos, err)
	}
	topics, err := client.Topics(t.Context(), community)
	if err != nil || len(topics) != 1 || topics[0].TopicID != topicID || topics[0].Name != "topic" || topics[0].NextSeq != 4 {
		t.Errorf("topics %+v: %v", topics, err)
	}
}

func TestAnEmulatedAppRefusesWithTheRightConditions(t *testing.T) {
	t.Parallel()
	app, client := newApp(t, chatemu.Options{})
	if err := app.Dissolve(plain); err != nil {
		t.Fatal(err)
	}
	if err := app.DeleteTopic(chat.Stream{GroupID: community, TopicID: topicID}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		stream chat.Stream
		is     error
	}{
		{chat.Stream{GroupID: plain}, chat.ErrGone},
		{chat.Stream{GroupID: "@TGS#1NEVER"}, chat.ErrGone},
		{chat.Stream{GroupID: community, TopicID: topicID}, chat.ErrGone},
		{chat.Stream{GroupID: "@TGS#aROOM"}, chat.ErrUnsupported},
	} {
		_, err := client.Page(t.Context(), chat.Query{Stream: test.stream, Number: 1})
		if !errors.Is(err, test.is) || retry.ClassOf(err) != retry.Permanent {
			t.Errorf("page of %v: %v", test.stream, err)
		}
		if _, err := client.Group(t.Context(), test.stream); errors.Is(test.is, chat.ErrGone) && !errors.Is(err, test.is) {
			t.Errorf("group of %v: %v", test.stream, err)
		}
	}
}

func TestAnEmulatedAppKnowsWhoMayCall(t *testing.T) {
	t.Parallel()
	app, _ := newApp(t, chatemu.Options{OtherRegionApps: []int{appID + 1}})
	base := app.StartT(t)
	for name, test := range map[string]struct {
		change func(*chatapi.Config)
		code   int
	}{
		"another key":     {func(c *chatapi.Config) { c.SecretKey = config.NewSecret("x") }, 70009},
		"not an admin":    {func(c *chatapi.Config) { c.Admin = "visitor" }, 60010},
		"another region":  {func(c *chatapi.Config) { c.SDKAppID++ }, 70020},
		"an unknown app":  {func(c *chatapi.Config) { c.SDKAppID-- }, 60006},
		"everything fits": {func(*chatapi.Config) {}, 0},
	} {
		_, err := newClient(t, base, test.change).Page(t.Context(), chat.Query{Stream: chat.Stream{GroupID: plain}, Number: 1})
		e, _ := errors.AsType[*chatapi.Error](err)
		if test.code == 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if e == nil || e.Code != test.code || !errors.Is(err, chatapi.ErrConfiguration) {
			t.Errorf("%s: want code %d: %v", name, test.code, err)
		}
		checkClean(t, err)
	}
}

func TestAnEmulatedAppThatForgetsSignaturesIsFollowed(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64 // of the service's clock, in nanoseconds
	app, client := newApp(t, chatemu.Options{MaxSigAge: time.Hour, Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }})
	query := chat.Query{Stream: chat.Stream{GroupID: plain}, Number: 1}
	if _, err := client.Page(t.Context(), query); err != nil {
		t.Fatalf("page: %v", err)
	}
	offset.Store(int64(2 * time.Hour))
	_, err := client.Page(t.Context(), query)
	if retry.ClassOf(err) != retry.Transient {
		t.Errorf("class %v of the first refusal: %v", retry.ClassOf(err), err)
	}
	_, err = client.Page(t.Context(), query)
	if retry.ClassOf(err) != retry.Permanent || !errors.Is(err, chatapi.ErrConfiguration) {
		t.Errorf("class %v of the second refusal: %v", retry.ClassOf(err), err)
	}
	codes := fmt.Sprint(app.Counters().Codes)
	if codes != "map[0:1 70001:2]" {
		t.Errorf("codes %s", codes)
	}
}
