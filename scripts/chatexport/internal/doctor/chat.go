package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
	"chatexport/internal/sweep"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
	"chatexport/scripts/internal/services"
)

// The checks of Chat, in the order in which the service itself makes them: a refusal by one of them means that those
// before it passed, and says nothing of those behind it.
const (
	chatConnection = "Chat connection"
	chatSourceIP   = "Chat source IP"
	chatRegion     = "Chat region"
	chatUserSig    = "Chat UserSig"
	chatAdmin      = "Chat admin account"
	chatApp        = "Chat app"
)

func chatChecks() []string {
	return []string{chatConnection, chatSourceIP, chatRegion, chatUserSig, chatAdmin, chatApp}
}

// chat makes one call that any app may make, and reads from its answer what is right and what is not.
func (e *examination) chat(ctx context.Context, v footing) {
	skip := func(why string) {
		for _, name := range chatChecks() {
			e.add(skipped, name, why, "")
		}
		e.add(skipped, filesFetch, why, "")
	}
	if !v.chat {
		skip("the variables above come first")
		return
	}
	api := services.Chat(v.config)
	client, err := chatapi.New(api)
	if err != nil {
		e.add(failed, chatConnection, err.Error(), "")
		return
	}
	defer client.CloseIdleConnections()
	host := api.BaseURL
	if u, err := url.Parse(api.BaseURL); err == nil {
		host = u.Host
	}
	// The service takes one such call a second, and a passing failure is no diagnosis.
	caller := chatapi.NewCaller(retry.NewLimiter(sweep.ListQPS))
	caller.Policy.Attempts = 4
	var groups []string
	err = caller.Call(ctx, func(ctx context.Context) (err error) {
		groups, _, err = client.GroupIDs(ctx, 0, fileGroups, "")
		return err
	})
	e.judgeChat(err, host)
	if err != nil {
		e.add(skipped, filesFetch, "Chat comes first", "")
		return
	}
	if e.group != "" {
		e.history(ctx, client)
	}
	e.files(ctx, v.config, client, groups)
}

func (e *examination) judgeChat(err error, host string) {
	culprit, result := "", failed
	failure, isAnswer := errors.AsType[*chatapi.Error](err)
	switch {
	case err == nil:
	case !isAnswer || failure.Code == 0:
		culprit = chatConnection
	default:
		culprit = checkOf(failure.Code)
		if retry.ClassOf(err) == retry.Throttled || retry.ClassOf(err) == retry.Transient {
			result = warning
		}
	}
	good := map[string]string{
		chatConnection: host + " answers", chatSourceIP: "this machine's address is accepted", chatRegion: "the app is served here",
		chatUserSig: "accepted", chatAdmin: "may call the REST API", chatApp: "active, below its quota",
	}
	after := false
	for _, name := range chatChecks() {
		switch {
		case name == culprit:
			after = true
			advice := ""
			if isAnswer && failure.Code == 0 {
				advice = "the function needs the public network (publicAccess in serverless.yml); check CHAT_REGION and CHAT_ENDPOINT"
			}
			e.add(result, name, err.Error(), advice)
		case after:
			e.add(skipped, name, "the call was refused before that", "")
		default:
			e.add(ok, name, good[name], "")
		}
	}
}

// checkOf says which check an error code belongs to (Chat documentation, error codes).
func checkOf(code int) string {
	switch code {
	case 60021:
		return chatSourceIP
	case 60006, 70016, 70020:
		return chatRegion
	case 10008, 20002, 60004, 60005, 70001, 70002, 70003, 70005, 70009, 70013, 70014, 70050, 70052:
		return chatUserSig
	case 10012, 60010, 60015, 70051, 70107, 70114, 70403:
		return chatAdmin
	default:
		return chatApp
	}
}

// history reads the newest page of the group.
func (e *examination) history(ctx context.Context, client *chatapi.Client) {
	const name = "Chat history"
	s, err := target.Stream(e.group)
	if err != nil {
		e.add(failed, name, err.Error(), "")
		return
	}
	page, err := client.Page(ctx, chat.Query{Stream: s, Number: 1})
	if err != nil {
		e.add(failed, name, err.Error(), "")
		return
	}
	e.add(ok, name, fmt.Sprintf("newest seq of %s is %d", cli.StreamName(s), page.Newest()), "")
}
