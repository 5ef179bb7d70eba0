// A strategy of one's own in place of ours: 100 shares of AAPL while it rises, else none.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"
)

const name, symbol, probes = "dip", "AAPL", "ZVZZT"

type object = map[string]any

type day struct { // a message `close` of the stream `md`
	Seq        int
	Day, Probe string
	Prices     map[string]string
	Stamps     map[string]int64
}

type portfolio struct { // the key `portfolio`
	Positions    map[string]int
	OpenQty      map[string]int `json:"open_qty"`
	LastDecision map[string]int `json:"last_decision"`
	Halted       bool
}

// Prices are exact decimals: ticks of $0.0001 are whole numbers, and so is a limit made of them.
func ticks(price string) int {
	dollars, _ := strconv.ParseFloat(price, 64)
	return int(math.Round(dollars * 10_000))
}

func order(id, symbol string, shares, limit int) object {
	side := "buy"
	if shares < 0 {
		side, shares = "sell", -shares
	}
	return object{"id": id, "symbol": symbol, "side": side, "qty": shares, "order_type": "limit",
		"limit": fmt.Sprintf("%d.%04d", limit/10_000, limit%10_000), "tif": "ioc"}
}

// decide returns the decision on a day. Its ids are made of the day alone: twice is once.
func decide(now, before day, held portfolio) object {
	orders, expires := []object{}, now.Seq
	last, price := ticks(before.Prices[symbol]), ticks(now.Prices[symbol])
	if now.Probe != "" { // the platform measures itself: answer with an order of the test symbol
		orders, expires = append(orders, order(now.Probe, probes, 1, 100_000)), now.Seq+5
	} else if last > 0 && price > 0 && !held.Halted {
		change := -held.Positions[symbol] - held.OpenQty[symbol]
		if price > last {
			change += 100
		}
		if id := fmt.Sprintf("%s-%d-%s-0", name, now.Seq, symbol); change > 0 {
			orders = append(orders, order(id, symbol, change, price*1005/1000))
		} else if change < 0 {
			orders = append(orders, order(id, symbol, change, price*995/1000))
		}
	}
	if now.Stamps == nil {
		now.Stamps = map[string]int64{}
	}
	now.Stamps["decided"] = time.Now().UnixNano()
	return object{"type": "decision", "v": 1, "strategy": name, "seq": now.Seq, "day": now.Day,
		"expires_seq": expires, "intents": orders, "probe": now.Probe, "stamps": now.Stamps}
}

func main() {
	if len(os.Args) > 1 {
		describe()
		return
	}
	serve()
	var before day
	bus, cursor := dial(), "0-0"
	for {
		answer := bus.do("XREAD", "COUNT", "500", "BLOCK", "500", "STREAMS", "md", cursor)
		heard.Store(time.Now().UnixNano())
		for _, found := range entries(answer) {
			var now day
			check(json.Unmarshal([]byte(found.message), &now))
			cursor = found.id
			if now.Probe == "" && !found.newest { // void by now, but for its price
				before = now
				continue
			}
			var held portfolio
			if raw, there := bus.do("GET", "portfolio").(string); there {
				check(json.Unmarshal([]byte(raw), &held))
			}
			if now.Probe != "" || held.LastDecision[name] < now.Seq {
				said, _ := json.Marshal(decide(now, before, held))
				bus.do("XADD", "intents", "MAXLEN", "~", "200000", "*", "m", string(said))
				decisions.Add(1)
			}
			if now.Probe == "" {
				before = now
			}
		}
	}
}
