package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	cloudemu "chatexport/internal/emulator/cloud"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/event"
	"chatexport/internal/invocation"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/emulated"
)

// memoryMB bounds the function's memory, in a process that holds the emulated chat, too.
const memoryMB = 1024

// drain plays the platform: it delivers queued events to the function until there are none.
type drain struct {
	queue     *cloudemu.Queue
	handler   *invocation.Handler
	console   *cli.Console
	timeLimit time.Duration

	invocations int
	retries     int // deliveries again after an error
}

// tick queues what a timer sends. Every tick is another event, since the event's hash owns leases.
func (d *drain) tick(task event.Task) error {
	message, err := task.Encode()
	if err != nil {
		return fmt.Errorf("encode the timer's message: %w", err)
	}
	// A crash right after this: the event is lost, and the next start's tick does its work.
	if _, err := d.queue.Push(scfemu.TimerEvent("demo", string(message), time.Now())); err != nil {
		return fmt.Errorf("fire the timer: %w", err)
	}
	return nil
}

// run serves events one after the other until there are none. The error is of those that failed in every attempt.
func (d *drain) run(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		delivery, err := d.queue.NextOrDrained(ctx)
		if errors.Is(err, cloudemu.ErrDrained) {
			break
		}
		if err != nil {
			return err
		}
		if err := d.deliver(ctx, delivery); err != nil {
			return err
		}
	}
	var givenUp []error
	for _, dead := range d.queue.Dead() {
		givenUp = append(givenUp, fmt.Errorf("the function failed %d times with one event; the last error: %s", dead.Attempt, dead.Reason))
	}
	return errors.Join(givenUp...)
}

func (d *drain) deliver(ctx context.Context, delivery cloudemu.Delivery) error {
	d.invocations++
	if delivery.Attempt > 1 {
		d.retries++
	}
	failure := d.invoke(ctx, delivery)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // an interruption is no failure of the function
	case failure == nil:
		return d.queue.Ack(delivery.ID)
	}
	d.console.Line("the function failed, attempt %d: %v", delivery.Attempt, failure)
	return d.queue.Nack(delivery.ID, failure.Error())
}

// invoke is one invocation, as the platform makes it.
func (d *drain) invoke(ctx context.Context, delivery cloudemu.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeLimit)
	defer cancel()
	_, err := d.handler.Invoke(ctx, invocation.Platform{
		RequestID: delivery.RequestID, Function: functionName, Version: version, Namespace: namespace, Region: emulated.Region,
		MemoryMB: memoryMB, TimeLimit: d.timeLimit,
	}, delivery.Payload)
	return err
}
