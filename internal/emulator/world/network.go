package world

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"chatexport/internal/emulator/loopback"
)

// errRefused is what dialling an address brings where nothing listens, or from a process that is dead.
var errRefused = errors.New("connection refused by the emulated network")

// Network carries connections without sockets, so that whole clients and servers run in a bubble of testing/synctest,
// in virtual time.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*listener
}

// NewNetwork returns a network on which nothing listens.
func NewNetwork() *Network { return &Network{listeners: map[string]*listener{}} }

// Listen takes an address, all of which are loopback ones.
func (n *Network) Listen() net.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	const firstPort = 10_000
	l := &listener{
		addr:  &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: firstPort + len(n.listeners)},
		conns: make(chan net.Conn), closed: make(chan struct{}),
	}
	n.listeners[l.addr.String()] = l
	return l
}

// Dial connects, as net.Dialer.DialContext does.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return n.dial(ctx, network, address, nil)
}

func (n *Network) dial(ctx context.Context, network, address string, p *Process) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errRefused}
	}
	near, far := net.Pipe()
	server := &conn{Conn: far, local: l.addr, remote: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, process: p}
	select {
	case l.conns <- server:
		return near, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: network, Addr: l.addr, Err: errRefused}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

type listener struct {
	addr   *net.TCPAddr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

// conn is the server's end of a connection.
type conn struct {
	net.Conn

	local, remote net.Addr
	process       *Process
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// Process stands for one process of the function on a network. It can be killed: from then on nothing that it does has
// an effect any more.
type Process struct {
	network *Network
	ctx     context.Context //nolint:containedctx // ends with the process, not with a call
	end     context.CancelFunc

	mu    sync.Mutex
	dead  bool
	conns []net.Conn
}

// NewProcess starts a process.
func (n *Network) NewProcess(ctx context.Context) *Process {
	p := &Process{network: n}
	p.ctx, p.end = context.WithCancel(ctx)
	return p
}

// Dial connects, unless the process is dead.
func (p *Process) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.Dead() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errRefused}
	}
	c, err := p.network.dial(ctx, network, address, p)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		_ = c.Close() // a pipe
		return nil, &net.OpError{Op: "dial", Net: network, Err: errRefused}
	}
	p.conns = append(p.conns, c)
	return c, nil
}

// Kill ends the process: its connections break, and its context ends so that its goroutines come to an end, too.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	p.end()
	for _, c := range p.conns {
		_ = c.Close() // a pipe
	}
	p.conns = nil
}

// Context ends when the process is killed.
func (p *Process) Context() context.Context { return p.ctx }

// Dead reports whether the process was killed.
func (p *Process) Dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

type processKey struct{}

// ProcessOf returns the process whose request it is, nil if no process of the function made it.
func ProcessOf(r *http.Request) *Process {
	p, _ := r.Context().Value(processKey{}).(*Process)
	return p
}

// serve starts a service on the world's network, or on a loopback port, and returns its base URL. It ends with the test.
func (w *World) serve(handler http.Handler) string {
	w.t.Helper()
	var l net.Listener
	if w.Network != nil {
		l = w.Network.Listen()
	} else {
		var err error
		l, err = (&net.ListenConfig{}).Listen(w.t.Context(), "tcp", "127.0.0.1:0")
		w.must(err)
	}
	stop := loopback.Run(context.WithoutCancel(w.t.Context()), l, &http.Server{
		Handler: handler,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if virtual, ok := c.(*conn); ok && virtual.process != nil {
				ctx = context.WithValue(ctx, processKey{}, virtual.process)
			}
			return ctx
		},
	})
	w.t.Cleanup(func() { _ = stop() }) // its connections are gone either way
	_, port, err := net.SplitHostPort(l.Addr().String())
	w.must(err)
	return "http://127.0.0.1:" + port
}
