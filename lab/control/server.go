package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"bootswain/lab"
)

// server is the owner of a laboratory.
type server struct {
	name, dir string
	lab       *lab.Lab
	end       context.CancelFunc

	mu      sync.Mutex // held by one verb at a time, but for those that only look
	looking sync.Mutex // of what follows
	machine *lab.Machine
	up      Up
	volumes []*lab.Volume
}

// Serve owns a laboratory in dir until it is taken down or ctx ends. Then it
// removes dir.
func Serve(ctx context.Context, name, dir string) (err error) {
	defer os.RemoveAll(dir)
	ctx, end := context.WithCancel(ctx)
	defer end()
	l, err := lab.New(ctx, lab.Options{Dir: dir, Seed: uint64(time.Now().UnixNano())})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	s := &server{name: name, dir: dir, lab: l, end: end}
	listener, err := net.Listen("unix", socket(dir))
	if err != nil {
		return err
	}
	web := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stopped := context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if web.Shutdown(late) != nil { // lets "down" have its answer
			web.Close()
		}
	})
	defer stopped()
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// verb carries out what a client asks. Progress goes to log.
type verb func(ctx context.Context, log io.Writer, args json.RawMessage) (any, error)

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for name, v := range map[string]verb{
		"up":       one(s, s.doUp),
		"replace":  one(s, s.doReplace),
		"cut":      one(s, s.doCut),
		"reboot":   one(s, s.doReboot),
		"shutdown": one(s, s.doShutdown),
		"start":    one(s, s.doStart),
		"volume":   one(s, s.doVolume),
		"attach":   one(s, s.doAttach),
		"pull":     one(s, s.doPull),
		"detach":   one(s, s.doDetach),
		"fault":    look(s.doFault),
		"imds":     look(s.doIMDS),
		"run":      look(s.doRun),
		"status":   look(s.doStatus),
		"down":     look(s.doDown),
	} {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) { serve(w, r, v) })
	}
	return mux
}

// look makes a verb of a method that may run beside others.
func look[A any](do func(context.Context, io.Writer, A) (any, error)) verb {
	return func(ctx context.Context, log io.Writer, args json.RawMessage) (any, error) {
		var a A
		if err := json.Unmarshal(args, &a); err != nil {
			return nil, err
		}
		return do(ctx, log, a)
	}
}

// one makes a verb of a method that changes the machine; a second one waits.
func one[A any](s *server, do func(context.Context, io.Writer, A) (any, error)) verb {
	free := look(do)
	return func(ctx context.Context, log io.Writer, args json.RawMessage) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return free(ctx, log, args)
	}
}

// serve answers one call, a message a line.
func serve(w http.ResponseWriter, r *http.Request, v verb) {
	args, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	out := &stream{to: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	result, err := v(r.Context(), out, args)
	if err != nil {
		out.send(message{Error: err.Error()})
		return
	}
	raw, err := json.Marshal(result)
	if err != nil {
		out.send(message{Error: err.Error()})
		return
	}
	out.send(message{Result: raw})
}

// stream sends what is written to it as lines of progress.
type stream struct {
	mu    sync.Mutex
	rest  []byte
	to    *json.Encoder
	flush func() error
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.rest = append(s.rest, p...)
	var lines []string
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			break
		}
		lines, s.rest = append(lines, string(line)), rest
	}
	s.mu.Unlock()
	for _, line := range lines {
		s.send(message{Line: line})
	}
	return len(p), nil
}

func (s *stream) send(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = errors.Join(s.to.Encode(m), s.flush()) // a client that is gone needs no answer
}

// current returns the machine, or says that there is none.
func (s *server) current() (*lab.Machine, error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	if s.machine == nil {
		return nil, errors.New("this laboratory has no machine")
	}
	return s.machine, nil
}
