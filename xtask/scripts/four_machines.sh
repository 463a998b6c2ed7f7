#!/usr/bin/env bash
# Four processes in four network namespaces of this machine, as on four machines: they train, lose one, go
# on, and must end with the weights that they have without the loss. As root, after `cargo build`:
#
#   xtask/scripts/four_machines.sh [kill|cut|torchrun]
#
# kill: one process is killed. cut: its cable is cut, so that nobody is told. torchrun: it is killed, and
# torchrun (of the Python in $PYTHON, which needs PyTorch) starts all again by itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
loss=${1:-kill}
binary=${BINARY:-$PWD/target/debug/crosstune-text}
work=$(mktemp -d)
spaces=(ct0 ct1 ct2 ct3)
export OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1

cleanup() {
  # Whatever still runs in the namespaces is ours.
  for space in "${spaces[@]}"; do
    ip netns pids "$space" 2>/dev/null | xargs -r kill -KILL || true
    ip netns del "$space" 2>/dev/null || true
  done
  ip link del ctbridge 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

ip link add ctbridge type bridge
ip link set ctbridge up
for i in 0 1 2 3; do
  ip netns add "ct$i"
  ip link add "ctveth$i" type veth peer name eth0 netns "ct$i"
  ip link set "ctveth$i" master ctbridge up
  ip -n "ct$i" addr add "10.87.0.$((i + 1))/24" dev eth0
  ip -n "ct$i" link set eth0 up
  ip -n "ct$i" link set lo up
done

train=(train --weights crates/text/tests/fixtures/tiny-bert --data crates/text/samples/digits
  --epochs "${EPOCHS:-30}" --batch-size 4 --patience 1000 --lr 1e-3 --checkpoint-every 20steps)

# start RUN WORDS…: four processes with torchrun's variables, in the background.
start() {
  local run=$1
  shift
  started=()
  for i in 0 1 2 3; do
    ip netns exec "ct$i" env RANK="$i" WORLD_SIZE=4 LOCAL_RANK=0 LOCAL_WORLD_SIZE=1 \
      MASTER_ADDR=10.87.0.1 MASTER_PORT=29500 "$binary" "$@" 2>"$run.$i.log" &
    started+=($!)
  done
}

# agents RUN: four times torchrun, in the background.
agents() {
  local run=$1
  started=()
  for i in 0 1 2 3; do
    ip netns exec "ct$i" "${PYTHON:-python3}" -m torch.distributed.run --nnodes 4 --nproc-per-node 1 \
      --max-restarts 3 --rdzv-backend c10d --rdzv-endpoint 10.87.0.1:29400 --rdzv-id "$(basename "$run")" \
      --local-addr "10.87.0.$((i + 1))" --no-python "$binary" "${train[@]}" --out "$run" 2>"$run.$i.log" &
    started+=($!)
  done
}

finish() {
  local code=0
  for process in "${started[@]}"; do wait "$process" || code=$?; done
  return $code
}

# A process of ours in a namespace.
worker() { ip netns pids "$1" | while read -r p; do
  if [ "$(readlink "/proc/$p/exe")" = "$(readlink -f "$binary")" ]; then echo "$p"; fi
done; }

hash_of() { sha256sum <"$1/model.safetensors" | cut -c1-16; }

echo "without a loss"
if [ "$loss" = torchrun ]; then agents "$work/whole"; else start "$work/whole" "${train[@]}" --out "$work/whole"; fi
finish || { tail -n 5 "$work"/whole.*.log; exit 1; }

echo "with the loss of one ($loss)"
if [ "$loss" = torchrun ]; then agents "$work/run"; else start "$work/run" "${train[@]}" --out "$work/run"; fi
until ls "$work/.run.partial/checkpoints/"[!.]* >/dev/null 2>&1; do sleep 0.05; done
begun=$(date +%s%N)
case $loss in
  cut) ip link set ctveth2 down ;;
  *) kill -KILL "$(worker ct2)" ;;
esac
if [ "$loss" != torchrun ]; then
  if finish; then echo "nobody has noticed"; exit 1; fi
  echo "all have ended after $((($(date +%s%N) - begun) / 1000000)) ms:"
  for i in 0 1 2 3; do tail -n 1 "$work/run.$i.log"; done
  ip link set ctveth2 up
  sleep 1
  start "$work/run" train --resume "$work/run"
fi
finish || { tail -n 5 "$work"/run.*.log; exit 1; }
grep -h resumed "$work/run.0.log" || true

echo "hashes: $(hash_of "$work/whole") without, $(hash_of "$work/run") with the loss"
[ "$(hash_of "$work/whole")" = "$(hash_of "$work/run")" ]
