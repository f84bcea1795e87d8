package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

// A podList is what a client reads of a page.
type podList struct {
	Metadata struct {
		Continue string `json:"continue"`
	} `json:"metadata"`
	Items []pod `json:"items"`
}

type pod struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Status struct {
		ContainerStatuses []struct {
			RestartCount int `json:"restartCount"`
		} `json:"containerStatuses"`
	} `json:"status"`
}

func TestClusterListsEachPodOnceInPages(t *testing.T) {
	c, err := startCluster(25)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	names, pages := map[string]bool{}, 0
	for next := "0"; next != ""; pages++ {
		var text bytes.Buffer
		if err := get(t.Context(), c.url+"/api/v1/pods?limit=10&continue="+next, &text); err != nil {
			t.Fatal(err)
		}
		var list podList
		if err := json.Unmarshal(text.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Items {
			names[p.Metadata.Name] = true
		}
		next = list.Metadata.Continue
	}
	if len(names) != 25 || pages != 3 {
		t.Errorf("got %d pods in %d pages, want 25 in 3", len(names), pages)
	}
}

func TestClusterTellsWatchersOfACrash(t *testing.T) {
	c, err := startCluster(3)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/api/v1/pods?watch=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	c.crash(2) // Its watch is known: the status has come.
	line, err := bufio.NewReader(resp.Body).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var change struct {
		Type   string `json:"type"`
		Object pod    `json:"object"`
	}
	if err := json.Unmarshal(line, &change); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(change.Type, " ", change.Object.Metadata.Name, " ", change.Object.Status.ContainerStatuses[0].RestartCount)
	if want := "MODIFIED svc-0-6f7c9d8b5-00002 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if size := len(line); size < 4<<10 || size > 16<<10 {
		t.Errorf("a pod has %d bytes, want the size of a real one", size)
	}
}
