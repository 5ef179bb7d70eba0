// The contract of an app: settings by variables, three addresses behind a token, a log in JSON.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

var heard, decisions atomic.Int64

func setting(name string) string { return os.Getenv("TRADING_" + strings.ToUpper(name)) }

func secret(name string) string {
	raw, err := os.ReadFile(setting(name))
	check(err)
	return strings.TrimSpace(string(raw))
}

func say(level, event string) {
	line, _ := json.Marshal(object{"event": event, "level": level, "environment": setting("environment"),
		"site": setting("site"), "service": setting("service"), "at": time.Now().UTC()})
	fmt.Println(string(line))
}

// check ends the process: whoever runs it starts it again, and it goes on from the bus.
func check(err error) {
	if err != nil {
		say("error", err.Error())
		os.Exit(1)
	}
}

func serve() {
	token := "Bearer " + secret("http_token_file")
	answer := func(write http.ResponseWriter, ask *http.Request) {
		stale := time.Since(time.Unix(0, heard.Load())) > 3*time.Second
		switch {
		case ask.Header.Get("Authorization") != token:
			http.Error(write, "a token is asked for", http.StatusUnauthorized)
		case ask.URL.Path == "/readyz" && stale:
			http.Error(write, "the bus does not answer", http.StatusServiceUnavailable)
		case ask.URL.Path == "/metrics":
			fmt.Fprintf(write, "# TYPE strategy_decisions_total counter\nstrategy_decisions_total %d\n", decisions.Load())
		default:
			fmt.Fprintln(write, "ok")
		}
	}
	listener, err := net.Listen("tcp", setting("http_host")+":"+setting("http_port"))
	check(err)
	go func() { check(http.Serve(listener, http.HandlerFunc(answer))) }()
	go func() { // a decision is on the bus whole or not at all: nothing is to be drained
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM)
		<-told
		say("info", "stopped")
		os.Exit(0)
	}()
	say("info", "started")
}

func describe() {
	known := object{}
	for _, name := range strings.Fields("environment site service http_host http_port http_token_file" +
		" log_level bus_host bus_port bus_password_file db_host db_port db_name db_user" +
		" db_password_file strategy parameters capital_usd max_position_notional_usd" +
		" max_gross_notional_usd max_order_notional_usd max_order_shares price_collar_bps" +
		" order_offset_bps min_trade_bps") {
		known[name] = object{"type": "string"}
	}
	check(json.NewEncoder(os.Stdout).Encode(object{"type": "object", "properties": known}))
}

// A bus speaks RESP: words as arrays, answers that say their own length.
type bus struct {
	line net.Conn
	in   *bufio.Reader
}

type entry struct {
	id, message string
	newest      bool // of those behind it, all are void: a decision is of the day that is now
}

func dial() bus {
	line, err := net.Dial("tcp", setting("bus_host")+":"+setting("bus_port"))
	check(err)
	found := bus{line, bufio.NewReader(line)}
	found.do("AUTH", secret("bus_password_file"))
	return found
}

func (b bus) do(words ...string) any {
	text := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	check(b.line.SetDeadline(time.Now().Add(5 * time.Second)))
	_, err := io.WriteString(b.line, text)
	check(err)
	return b.answer()
}

func (b bus) answer() any {
	head, err := b.in.ReadString('\n')
	check(err)
	kind, rest := head[0], strings.TrimSpace(head[1:])
	count, _ := strconv.Atoi(rest)
	switch {
	case kind == '-':
		check(fmt.Errorf("the bus refuses: %s", rest))
	case kind == '$' && count >= 0:
		text := make([]byte, count+2)
		_, err := io.ReadFull(b.in, text)
		check(err)
		return string(text[:count])
	case kind == '*' && count >= 0:
		list := make([]any, count)
		for at := range list {
			list[at] = b.answer()
		}
		return list
	case kind == '$' || kind == '*':
		return nil
	}
	return rest
}

// entries returns what XREAD answered: [[stream, [[id, [field, message]], ...]]], or nothing.
func entries(answer any) []entry {
	streams, there := answer.([]any)
	if !there {
		return nil
	}
	listed := streams[0].([]any)[1].([]any)
	found := make([]entry, len(listed))
	for at, each := range listed {
		pair := each.([]any)
		fields := pair[1].([]any)
		found[at] = entry{pair[0].(string), fields[1].(string), at == len(listed)-1}
	}
	return found
}
