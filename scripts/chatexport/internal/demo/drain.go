package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	"chatexport/internal/event"
	"chatexport/internal/invocation"
	"chatexport/scripts/chatexport/internal/cli"
)

const (
	// maxAttempts is one delivery and two more, the platform's default (SCF documentation, 583/41138).
	maxAttempts = 3
	// memoryMB bounds the function's memory, in a process that holds the emulated chat, too.
	memoryMB = 1024
)

// drain plays the platform: it delivers queued events to the function until there are none.
type drain struct {
	queue     *cloudemu.Queue
	handler   *invocation.Handler
	console   *cli.Console
	timeLimit time.Duration

	invocations int
	retries     int     // deliveries again after an error
	givenUp     []error // of events that failed in every attempt
}

// naming is the task that names every stream.
func naming(streams []chat.Stream) event.Task {
	var task event.Task
	for _, s := range streams {
		task.Groups = append(task.Groups, event.Group{GroupID: s.GroupID, TopicID: s.TopicID})
	}
	return task
}

// tick queues what a timer sends. Every tick is another event, since the event's hash owns leases.
func (d *drain) tick(task event.Task) error {
	message, err := task.Encode()
	if err != nil {
		return fmt.Errorf("encode the timer's message: %w", err)
	}
	payload, err := json.Marshal(struct {
		Type        string
		TriggerName string
		Time        string
		Message     string
	}{"Timer", "demo", time.Now().UTC().Format(time.RFC3339Nano), string(message)})
	if err != nil {
		return fmt.Errorf("encode the timer's event: %w", err)
	}
	// A crash right after this: the event is in the queue, and the next start finds it there.
	if _, err := d.queue.Push(payload); err != nil {
		return fmt.Errorf("fire the timer: %w", err)
	}
	return nil
}

// run serves events one after the other. What is given up stays in the queue for the next start.
func (d *drain) run(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if queued, _ := d.queue.Len(); queued == 0 {
			return errors.Join(d.givenUp...)
		}
		delivery, err := d.queue.Next(ctx)
		if err != nil {
			return fmt.Errorf("take the next event: %w", err)
		}
		if err := d.deliver(ctx, delivery); err != nil {
			return err
		}
	}
}

func (d *drain) deliver(ctx context.Context, delivery cloudemu.Delivery) error {
	d.invocations++
	failure := d.invoke(ctx, delivery)
	switch {
	case ctx.Err() != nil:
		// The event stays under way, and the next start delivers it as the same attempt. That holds for a success, too:
		// what the interruption kept the function from may be left to a later tick, which nobody here will fire.
		return ctx.Err()
	case failure == nil:
		// A crash right before this: the event is delivered again, and the function hops over what it did.
		return d.queue.Ack(delivery.ID)
	case delivery.Attempt >= maxAttempts:
		d.givenUp = append(d.givenUp, fmt.Errorf("the function failed %d times with one event; the last error: %w", delivery.Attempt, failure))
		return nil // stays under way, too
	default:
		d.retries++
		d.console.Line("the platform delivers the event again: %v", failure)
		return d.queue.Nack(delivery.ID, failure.Error())
	}
}

// invoke is one invocation, as the platform makes it.
func (d *drain) invoke(ctx context.Context, delivery cloudemu.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeLimit)
	defer cancel()
	_, err := d.handler.Invoke(ctx, invocation.Platform{
		RequestID: delivery.RequestID, Function: functionName, Version: version, Namespace: namespace, Region: region,
		MemoryMB: memoryMB, TimeLimit: d.timeLimit,
	}, delivery.Payload)
	return err
}
