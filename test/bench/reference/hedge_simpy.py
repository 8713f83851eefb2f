"""The model of hedge.ts in SimPy 3: a process per copy, a resource per server, an interrupt for the loser.

Usage: hedge_simpy.py JOBS; prints the mean response time and the seconds it took.
"""

import random
import sys
import time

import simpy

SERVERS = 16
UTILISATION = 0.6


def arrivals(environment, servers, chance, jobs, responses):
    for _ in range(jobs):
        yield environment.timeout(chance.expovariate(SERVERS * UTILISATION))
        one, other = chance.sample(servers, 2)
        race = []
        for server in (one, other):
            race.append(environment.process(copy(environment, server, chance, race, responses)))


def copy(environment, server, chance, race, responses):
    began = environment.now
    with server.request() as turn:
        try:
            yield turn
            yield environment.timeout(chance.expovariate(1))
        except simpy.Interrupt:
            return
    responses.append(environment.now - began)
    for rival in race:
        if rival is not environment.active_process and rival.is_alive:
            rival.interrupt()


def main():
    jobs = int(sys.argv[1])
    environment = simpy.Environment()
    servers = [simpy.Resource(environment) for _ in range(SERVERS)]
    responses = []
    environment.process(arrivals(environment, servers, random.Random(1), jobs, responses))
    begun = time.perf_counter()
    environment.run()
    taken = time.perf_counter() - begun
    print(f"{sum(responses) / len(responses):.6f} {taken:.6f}")


main()
