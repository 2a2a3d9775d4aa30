package world

import (
	"errors"
	"maps"
	"strings"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	scfemu "chatexport/internal/emulator/scf"
)

// Configuration returns the function's variables as serverless.yml would have them: Env without what the platform sets.
func (w *World) Configuration() map[string]string {
	configuration := maps.Clone(w.Env)
	maps.DeleteFunc(configuration, func(name, _ string) bool { return strings.HasPrefix(name, "TENCENTCLOUD_") })
	return configuration
}

// Credentials returns the keys of the function's execution role.
func (w *World) Credentials() scfemu.Credentials {
	return scfemu.Credentials{
		SecretID: w.Env["TENCENTCLOUD_SECRETID"], SecretKey: w.Env["TENCENTCLOUD_SECRETKEY"], Token: w.Env["TENCENTCLOUD_SESSIONTOKEN"],
	}
}

// Platform runs the built function c.Binary in this world until the test ends. What c leaves empty is the world's:
// configuration, credentials, region, time limit.
func (w *World) Platform(c scfemu.Config) *scfemu.Platform {
	w.t.Helper()
	if c.Environment == nil {
		c.Environment = w.Configuration()
	}
	if c.Credentials == nil {
		c.Credentials = w.Credentials
	}
	if c.TimeLimit == 0 {
		c.TimeLimit = w.timeLimit
	}
	c.Function, c.Region = Function, Region
	p, err := scfemu.New(c)
	w.must(err)
	w.t.Cleanup(func() {
		if err := p.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return p
}

// Push queues an event.
func (w *World) Push(payload []byte) {
	w.t.Helper()
	_, err := w.Queue.Push(payload)
	w.must(err)
}

// Topic adds a topic of n generated messages to a community, which is added with its first topic.
func (w *World) Topic(groupID, topicID string, n int) chat.Stream {
	w.t.Helper()
	s := chat.Stream{GroupID: groupID, TopicID: topicID}
	err := w.Chat.AddGroup(chatemu.Group{ID: groupID, Type: "Community", SupportTopics: true})
	if err != nil && !errors.Is(err, chatemu.ErrExists) {
		w.t.Fatal(err)
	}
	w.must(w.Chat.AddTopic(chatemu.Topic{GroupID: groupID, ID: topicID, Name: "general"}))
	if n > 0 {
		w.must(w.Chat.Generate(s, n, chatemu.Varied))
	}
	return s
}

// keys returns a function for the COS emulator that knows the world's key and those that were asked for in addition.
func keys(more []cloudemu.Credential) func(string) (cosemu.Credential, bool) {
	all := map[string]cosemu.Credential{SecretID: {SecretKey: CloudKey, Token: Token}}
	for _, c := range more {
		all[c.SecretID] = cosemu.Credential{SecretKey: c.SecretKey, Token: c.Token}
	}
	return func(id string) (cosemu.Credential, bool) {
		c, ok := all[id]
		return c, ok
	}
}
