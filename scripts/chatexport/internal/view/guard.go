package view

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
)

// enterPath is where the token is exchanged for the cookie.
const enterPath = "/enter/"

// guard lets nobody in but the one person who has the address: every request names this host, comes from nowhere or from this
// server's own pages, only reads, and has the cookie that was given for the token.
type guard struct {
	hosts  []string // as a browser may name this server: with its port
	token  string   // in the address
	cookie http.Cookie
	next   http.Handler
	enter  http.Handler // says where to go on
}

func newGuard(port string, next, enter http.Handler) *guard {
	return &guard{
		hosts: []string{"127.0.0.1:" + port, "localhost:" + port}, token: rand.Text(), next: next, enter: enter,
		// Cookies do not know ports: the name keeps two servers of one person apart.
		cookie: http.Cookie{
			Name: "chatexport_" + port, Value: rand.Text(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
			Secure: false, // loopback has no TLS
		},
	}
}

// headers are in every answer, refusals included.
func headers(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	headers(w.Header())
	switch token, entering := strings.CutPrefix(r.URL.Path, enterPath); {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this server only reads", http.StatusMethodNotAllowed)
	case !g.own(r):
		http.Error(w, "not for this host", http.StatusForbidden)
	case entering && same(token, g.token):
		cookie := g.cookie
		http.SetCookie(w, &cookie)
		g.enter.ServeHTTP(w, r)
	case !g.fromHere(r), !g.known(r):
		http.Error(w, "Open the address that chatexport view has printed.", http.StatusForbidden)
	default:
		g.next.ServeHTTP(w, r)
	}
}

// own reports whether a request was meant for this server, under one of its names: a page elsewhere whose name was made to
// point here has another. An Origin must be this one, too.
func (g *guard) own(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	for _, host := range g.hosts {
		if r.Host == host && (origin == "" || origin == "http://"+host) {
			return true
		}
	}
	return false
}

// fromHere reports whether a request comes from this server's own pages, or from the person: browsers tell, and what tells
// nothing is no browser.
func (g *guard) fromHere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "none" || site == "same-origin"
}

func (g *guard) known(r *http.Request) bool {
	for _, c := range r.CookiesNamed(g.cookie.Name) {
		if same(c.Value, g.cookie.Value) {
			return true
		}
	}
	return false
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
