package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"chatexport/internal/config"
	"chatexport/internal/event"
	"chatexport/internal/requeue"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

// noVersion is a version that no function has: invoking it runs nothing.
const noVersion = "chatexport-doctor"

// patience is how long the cloud API may take: the adapter rides out longer outages, which are a finding here.
const patience = 3 * time.Second

// queue checks how the function hands on its work.
func (e *examination) queue(ctx context.Context, v footing) {
	const name = "hand-over"
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch {
	case !v.cloud || !v.cos:
		e.add(skipped, name, "the variables above come first", "")
	case e.group != "":
		e.tick(ctx, v)
	case v.config.Requeue == config.RequeueCMQ:
		e.add(skipped, name, "publishing to "+v.config.CMQTopic+" can only be tried with a message", "give --group: a tick for it does no harm")
	default:
		e.invoke(ctx, v)
	}
}

// invoke tries Invoke with a version that does not exist.
func (e *examination) invoke(ctx context.Context, v footing) {
	const name = "hand-over"
	function := e.function
	function.Qualifier = noVersion
	p := target.NewPublisher(v.config, v.credentials, e.target.Getenv, function)
	err := p.Publish(ctx, []byte(`{"doctor":true}`))
	failure, found := errors.AsType[*requeue.Error](err)
	switch {
	case err == nil, found && strings.HasPrefix(failure.Code, "ResourceNotFound"):
		e.add(ok, name, "Invoke is permitted (tried with a version that does not exist)", "")
	case found && failure.Status == 0:
		e.add(failed, name, err.Error(), "the cloud API cannot be reached")
	default:
		e.add(failed, name, err.Error(), "")
	}
}

// tick publishes a tick for the group.
func (e *examination) tick(ctx context.Context, v footing) {
	const name = "hand-over"
	s, err := target.Stream(e.group)
	var body []byte
	if err == nil {
		body, err = event.For(s).Encode()
	}
	if err == nil {
		p := target.NewPublisher(v.config, v.credentials, e.target.Getenv, e.function)
		// A crash right after this: a tick, which finds nothing to do or does it.
		err = p.Publish(ctx, body)
	}
	if err != nil {
		e.add(failed, name, err.Error(), "")
		return
	}
	e.add(ok, name, "a tick for "+cli.StreamName(s)+" was accepted", "")
}

// limits checks what serverless.yml sets against the variables.
func (e *examination) limits(v footing) {
	const (
		most  = 900 * time.Second
		short = 30 * time.Second
		long  = 600 * time.Second
	)
	switch {
	case e.timeLimit < time.Second || e.timeLimit > most:
		e.add(failed, "time limit", e.timeLimit.String()+" is not possible", "the platform allows 1 to 900 s")
	case e.timeLimit < short:
		e.add(warning, "time limit", e.timeLimit.String()+" makes small chunks and many hand-overs", "300 s suits most apps")
	case e.timeLimit > long:
		e.add(warning, "time limit", e.timeLimit.String()+" lets an instance that hangs hold up its group for as long", "300 s suits most apps")
	default:
		e.add(ok, "time limit", e.timeLimit.String(), "")
	}
	need := memoryNeed(v.config)
	switch {
	case e.memory < need:
		e.add(failed, "memory", fmt.Sprintf("%d MB, and the variables may need %d MB", e.memory, need),
			"raise memorySize, or lower EXPORT_CHUNK_BYTES or CHAT_CONCURRENCY")
	case e.memory%64 != 0:
		e.add(warning, "memory", fmt.Sprintf("%d MB is no size that the platform has", e.memory), "64 MB, or a multiple of 128 MB")
	default:
		e.add(ok, "memory", fmt.Sprintf("%d MB, the variables may need %d MB", e.memory, need), "")
	}
}

// memoryNeed is an upper bound: a chunk being written and one being stored, a page of the most that the service sends
// for each call in flight, and what the program itself takes.
func memoryNeed(c config.Config) int {
	const program, page, mb = 48, 1, 1 << 20
	return program + 2*int((c.ExportChunkBytes+mb-1)/mb) + c.ChatConcurrency*page
}
